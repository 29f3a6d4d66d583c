//! What is there after a stop, a crash, a new version, or with the wrong log.

use super::*;

#[tokio::test]
async fn a_restart_goes_on_from_the_checkpoint() {
    let world = World::new();
    for n in 0..20 {
        world.append(placed(n, 1, &[("TEA", 1)])).await;
    }
    world.start().await.stop().await;
    let upserts = world.rows.written("INSERT INTO order_summary_g");
    let running = world.start().await;
    assert_eq!(world.rows.written("INSERT INTO order_summary_g"), upserts, "nothing was applied again");
    assert_eq!(running.status("order_summary").generation, Some(1));
    let head = world.append(cancelled(3)).await;
    running.catch_up(head).await;
    assert_eq!(world.rows.written("INSERT INTO order_summary_g"), upserts + 1);
    assert_eq!(running.sales("TEA").await, (19, 19));
    running.stop().await;
}

#[tokio::test]
async fn positions_without_events_of_a_projection_are_remembered_by_a_stop() {
    let world = World::new();
    let running = world.start().await;
    for n in 0..20 {
        world.append(placed(n, 1, &[("TEA", 1)])).await;
    }
    running.catch_up(Position::new(20)).await;
    running.stop().await;
    let position = "SELECT min(position) FROM projection_slices WHERE name = 'product_catalog'";
    assert_eq!(world.number(position).await, 20);
}

#[tokio::test]
async fn a_newer_version_is_built_at_the_start_by_itself() {
    let world = World::new();
    for n in 0..20 {
        world.append(placed(n, 1, &[("TEA", 1)])).await;
    }
    world.start().await.stop().await;
    world.sql("UPDATE projection_generations SET version = 0 WHERE name = 'product_sales'").await;
    world.sql("DELETE FROM product_sales_g1_counters").await;

    let running = world.start().await;
    assert_eq!((running.status("product_sales").generation, running.sales("TEA").await), (Some(2), (20, 20)));
    assert_eq!(running.status("order_summary").generation, Some(1), "the others are not concerned");
    running.stop().await;

    let old = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'product_sales_g1%'";
    world.start().await.stop().await;
    assert!(world.number(old).await > 0, "kept for the build that made it");
}

#[tokio::test]
async fn a_read_store_that_is_ahead_of_the_log_is_refused_and_left_alone() {
    let mut world = World::new();
    for n in 0..5 {
        world.append(placed(n, 1, &[("TEA", 1)])).await;
    }
    world.start().await.stop().await;
    let epochs = world.number("SELECT sum(epoch) FROM projection_slices").await;
    let right_log = std::mem::take(&mut world.events);
    world.append(placed(0, 1, &[("TEA", 1)])).await;
    let error = world.try_start(512).await.err().expect("it was to be refused");
    let ManagerError::Log(LogFault::Ahead { checkpoint, head, .. }) = &error else { panic!("{error:?}") };
    assert_eq!((checkpoint.value(), head.value()), (5, 1));
    assert!(error.to_string().contains("delete the read store"), "{error}");
    assert_eq!(world.number("SELECT sum(epoch) FROM projection_slices").await, epochs);

    world.events = right_log;
    let running = world.start().await;
    assert_eq!(running.sales("TEA").await, (5, 5));
    running.stop().await;
}

/// A process that dies: its tasks go away wherever they are, its last transactions may or may not arrive.
#[test]
fn rows_and_checkpoint_survive_a_crash_together() {
    const ROUNDS: u128 = 25;
    const EVENTS: u128 = 40;
    let world = Arc::new(World::new());
    let mut crashed_midway = 0;
    for round in 0..ROUNDS {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            // Each life has its own connections, as a process has.
            let rows = Arc::new(open_rows(&world.folder.path().join("read.db")));
            let (models, manager) = ReadModels::start(
                Arc::clone(&world.events) as Arc<dyn EventStore>,
                rows,
                Arc::new(SystemClock),
                Lifecycle::new(),
                ProjectionOptions { batch_events_max: 3, ..ProjectionOptions::default() },
            )
            .await
            .unwrap();
            let begin = world.events.head().await.unwrap().value();
            models.product_sales.wait(Position::new(begin), LONG).await.unwrap();
            for n in round * EVENTS..(round + 1) * EVENTS {
                let event = if n % 5 == 4 { cancelled(n - 1) } else { placed(n, 1, &[("TEA", 1), ("POT", 2)]) };
                world.append(event).await;
            }
            let head = world.events.head().await.unwrap();
            let enough = Position::new(begin + u64::try_from(round * 2 % EVENTS).unwrap());
            models.product_sales.wait(enough, LONG).await.unwrap();
            crashed_midway += u32::from(models.product_sales.position() < head);
            drop(manager);
        });
        runtime.shutdown_background();
    }
    assert!(crashed_midway > 5, "hardly a crash was in the middle: {crashed_midway}");
    crate::tests::block_on(async {
        let running = world.start().await;
        let orders = world.reference().await;
        assert_eq!(running.orders().await, orders);
        let kept = orders.iter().filter(|row| row.placed.cancel_reason.is_none()).count() as u64;
        assert_eq!((running.sales("TEA").await, running.sales("POT").await), ((kept, kept), (2 * kept, kept)));
        running.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_moment_of_a_rebuild_leaves_a_generation_that_serves() {
    let world = World::new();
    for n in 0..200 {
        world.append(placed(n, 1, &[("TEA", 1)])).await;
    }
    let (mut switched, mut whole) = (0, Duration::ZERO);
    for round in 0..40_u32 {
        let running = world.start().await;
        assert_eq!(running.sales("TEA").await, (200, 200));
        // A start goes on with what the last stop interrupted.
        running.settle("product_sales").await;
        if round == 0 {
            let started = std::time::Instant::now();
            running.rebuilt("product_sales").await;
            whole = started.elapsed();
        }
        let generation = running.status("product_sales").generation;
        let progress = running.manager.rebuild("product_sales").await.unwrap();
        // From at once to some time after the end, on a store of any speed.
        let wait = whole * round / 20;
        let phase = |progress: &Option<RebuildProgress>| progress.as_ref().map(|progress| progress.phase.clone());
        let mut watched = progress.clone();
        let _ =
            tokio::time::timeout(wait, watched.wait_for(|progress| phase(progress) == Some(RebuildPhase::Switching)))
                .await;
        assert!(running.lifecycle.stop(LONG).await);
        let is_switched = running.status("product_sales").generation != generation;
        let phase = phase(&progress.borrow());
        assert_eq!(phase == Some(RebuildPhase::Done), is_switched, "round {round}: it ended as {phase:?}");
        switched += u32::from(is_switched);
        assert_eq!(running.sales("TEA").await, (200, 200), "round {round}");
    }
    assert!((1..40).contains(&switched), "every stop came at the same moment: {switched}");
    let running = world.start().await;
    assert_eq!(running.sales("TEA").await, (200, 200));
    assert_eq!(running.status("product_sales").generation.map(|_| ()), Some(()));
    running.stop().await;
}
