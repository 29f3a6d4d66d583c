//! Rules that hold although two processes decide at the same moment.

use domain::{
    follow::{self, Follow, FollowCommand},
    profile::handle::{self, HandleClaim, HandleCommand, HandleRejection, HandleState},
    testing::{HAVE_PROFILES, anna, ben, handle, id},
    values::UserId,
};

use super::*;

/// Two processes that share an event store.
fn processes<D: Decider>() -> [Executor<D>; 2] {
    let store: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new());
    let options = ExecutorOptions { is_shared: true, ..ExecutorOptions::default() };
    let executor =
        || Executor::new(Arc::clone(&store), Arc::new(ManualClock::at(now())), Lifecycle::new(), options.clone());
    [executor(), executor()]
}

fn request_to<C>(stream: Uuid, n: u128, command: C) -> Request<C> {
    let metadata = CommandMetadata {
        command_id: Uuid::from_u128(n),
        actor: "somebody".into(),
        correlation_id: Uuid::from_u128(1),
        causation_id: None,
        input_hash: None,
    };
    Request { stream, command, metadata, expected: None, is_fresh: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_a_handle_at_the_same_moment_one_wins_whichever_process_they_ask() {
    let processes = processes::<HandleClaim>();
    let stream = handle::id_of(&handle("anna")).uuid();
    let tasks = Lifecycle::new();
    let claims: Vec<_> = (0..40_usize)
        .map(|n| {
            let (by, executor): (UserId, _) = (id(n as u128), processes[n % 2].clone());
            let command = HandleCommand::Claim { handle: handle("anna"), by, vacancy: None };
            tasks.spawn(async move { (by, executor.execute(request_to(stream, n as u128, command)).await) })
        })
        .collect();
    let mut winners = Vec::new();
    for claim in claims {
        match claim.await.expect("no executor panics") {
            (by, Ok(_)) => winners.push(by),
            (_, Err(ExecuteError::Rejected(HandleRejection::Taken))) => {}
            (by, Err(error)) => panic!("{by}: {error:?}"),
        }
    }
    let [winner] = winners[..] else { panic!("{winners:?} won") };
    for executor in &processes {
        let state = executor.current(stream).await.expect("it can be read").state;
        assert!(matches!(&*state, HandleState::Claimed(claim) if claim.by == winner));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_follows_past_a_block_of_the_same_moment() {
    let processes = processes::<Follow>();
    let stream = follow::id_of(anna(), ben()).uuid();
    let (block, follow) = (
        FollowCommand::Block { by: anna(), whom: ben(), have_profiles: HAVE_PROFILES },
        FollowCommand::Follow { by: ben(), whom: anna(), have_profiles: HAVE_PROFILES },
    );
    let unblock = FollowCommand::Unblock { by: anna(), whom: ben() };
    for round in 0..20 {
        let (blocked, followed) = tokio::join!(
            processes[round % 2].execute(request_to(stream, 3 * round as u128, block)),
            processes[(round + 1) % 2].execute(request_to(stream, 3 * round as u128 + 1, follow)),
        );
        blocked.expect("anybody may block");
        assert!(matches!(followed, Ok(_) | Err(ExecuteError::Rejected(_))), "{followed:?}");
        let state = processes[0].current(stream).await.expect("it can be read").state;
        assert!(state.blocks(anna(), ben()) && !state.follows(ben(), anna()), "round {round}: {state:?}");
        processes[0].execute(request_to(stream, 3 * round as u128 + 2, unblock)).await.expect("anybody may unblock");
    }
}
