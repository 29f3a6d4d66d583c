//! Projections that stop, because so much is parked or because they are to.

use super::{
    kit::*,
    parking::{KINDS, pause, poison, spoil},
    *,
};
use crate::StopCause;

#[tokio::test]
async fn too_many_parked_events_stop_the_projection_and_room_lets_it_go_on() {
    for kind in ["fold", "unreadable", "write"] {
        let mut hall = Hall::patient();
        hall.on_failure = hall.on_failure.parked_max(3);
        for n in 1..=9 {
            hall.place(n).await;
        }
        let open = hall.open().await;
        for name in ["notes", "ledger"] {
            open.manager.pause(name, pause(None)).await.unwrap();
        }
        let mut bad = Vec::new();
        for n in 1..=5 {
            bad.push(poison(&hall, n, kind).await);
            hall.ship(9, "fine").await;
        }
        for name in ["notes", "ledger"] {
            open.manager.resume(name).await.unwrap();
        }
        let error = open.notes.wait(bad[4], LONG).await.unwrap_err();
        let QueryError::Stopped { stopped, .. } = error else { panic!("{kind}: {error:?}") };
        assert_eq!((stopped.cause, stopped.position), (StopCause::TooManyParked, bad[3]), "{kind}");
        assert!(stopped.way_out("notes").contains("parked list notes"), "{}", stopped.way_out("notes"));
        eventually("the other one stops too", || matches!(open.state("ledger"), ProjectionState::Stopped(_))).await;
        assert_eq!(open.status("notes").parked.events, 3, "{kind}");
        assert_eq!(open.trails().await[&hall.key(9)].len(), 4, "{kind}: everything before it is applied");

        hall.events.is_true_again();
        hall.mend();
        assert_eq!(open.manager.retry_all("notes").await.unwrap(), 3);
        assert_eq!(open.manager.retry_all("ledger").await.unwrap(), 3);
        open.catch_up(&hall).await;
        open.is_released().await;
        assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
        assert_eq!(open.state("notes"), ProjectionState::Running);
        open.stop().await;
    }
}

#[tokio::test]
async fn a_projection_that_is_to_stop_does_so_at_the_event_and_says_the_way_out() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "slow") {
        let mut hall = Hall::new();
        hall.on_failure = OnFailure { parks: false, ..hall.on_failure };
        hall.place(1).await;
        hall.place(2).await;
        let open = hall.open().await;
        let bad = spoil(&hall, kind).await;
        let error = open.notes.wait(bad, LONG).await.unwrap_err();
        let QueryError::Stopped { stopped, .. } = error else { panic!("{kind}: {error:?}") };
        assert_eq!((stopped.position, stopped.cause, stopped.attempts), (bad, StopCause::Event, 4), "{kind}");
        assert!(stopped.way_out("notes").contains("projections rebuild notes"), "{}", stopped.way_out("notes"));
        let mut kept = hall.reference().await;
        for trail in kept.values_mut() {
            trail.retain(|at| *at < bad.value());
        }
        assert_eq!((open.trails().await, open.parked("notes").await), (kept, vec![]), "{kind}");
        hall.events.is_true_again();
        hall.mend();
        open.manager.resume("notes").await.unwrap();
        open.manager.resume("ledger").await.unwrap();
        open.catch_up(&hall).await;
        assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
        open.stop().await;
    }
}

#[tokio::test]
async fn a_first_build_that_cannot_get_past_an_event_stands_there_until_it_can() {
    for by in ["a resume", "a rebuild", "a start"] {
        let mut hall = Hall::new();
        hall.on_failure = OnFailure { parks: false, ..hall.on_failure };
        hall.place(1).await;
        let bad = hall.ship(1, "notes").await;
        let last = hall.place(2).await;
        let open = hall.open_as::<1, 0>().await;
        let error = open.notes.wait(last, LONG).await.unwrap_err();
        let QueryError::Stopped { stopped, .. } = error else { panic!("{error:?}") };
        assert_eq!((stopped.position, stopped.cause), (bad, StopCause::Event));
        open.ledger.wait(last, LONG).await.unwrap();
        assert_eq!(open.lines().await, hall.reference().await, "the other one is not concerned");
        open.settle("notes").await;
        assert_eq!(hall.tables().await, ["ledger_g1_lines"], "nothing is left of it");
        hall.mend();
        let open = match by {
            "a resume" => {
                open.manager.resume("notes").await.unwrap();
                open
            }
            "a rebuild" => {
                assert_eq!(open.rebuilt("notes").await.phase, RebuildPhase::Done);
                open
            }
            _ => {
                open.stop().await;
                hall.open().await
            }
        };
        eventually("it serves", || open.state("notes") == ProjectionState::Running).await;
        open.catch_up(&hall).await;
        assert_eq!(open.trails().await, hall.reference().await, "{by}");
        open.stop().await;
    }
}
