//! Random faults from a seed, judged by what the clients were told.
//!
//! Acknowledged: its event is there once. Unknown: at most once, and a retry with the same id makes it exactly once.
//! Anything else: not at all. A run in which a planned kind of fault never happened proves nothing and fails.

use super::*;

const SEEDS: u64 = 300;
const CLIENTS: u32 = 6;
const COMMANDS: u32 = 8;
const STREAMS: u32 = 2;
const FAULTS: [Fault; 8] = [
    Fault::Slow(20),
    Fault::RequestLost,
    Fault::AnswerLost,
    Fault::NotWritten,
    Fault::Stops,
    Fault::Foreign,
    Fault::Hangs,
    Fault::HangsAfterWriting,
];

/// Numbers that look random (xorshift, Marsaglia 2003) and are the same for the same seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }
}

fn script(seed: u64) -> Vec<Fault> {
    let mut numbers = Numbers::of(seed);
    // From one fault in two appends to one in six.
    let share = 2 + numbers.below(5);
    (0..64)
        .map(|_| if numbers.below(share) == 0 { FAULTS[numbers.below(FAULTS.len())] } else { Fault::Works })
        .collect()
}

/// Every event of a command: by the id in its metadata.
async fn count_by_command(store: &dyn EventStore) -> std::collections::HashMap<Uuid, usize> {
    let mut counts = std::collections::HashMap::new();
    for stream in 0..STREAMS {
        let events = stored(store, stream.into()).await;
        assert!(events.iter().enumerate().all(|(index, event)| event.revision == Revision::new(index as u64)));
        for event in events {
            if let Ok(mark) = serde_json::from_str::<metadata::CommandMark>(&event.metadata) {
                *counts.entry(mark.command_id).or_default() += 1;
            }
        }
    }
    counts
}

async fn run(seed: u64) -> Arc<FaultStore> {
    let (store, executor) = with_faults(script(seed));
    let tasks = Lifecycle::new();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let executor = executor.clone();
            tasks.spawn(async move {
                let mut journal = Vec::new();
                for step in 0..COMMANDS {
                    let number = client * COMMANDS + step;
                    let stream = Uuid::from_u128((number % STREAMS).into());
                    let request = Request { stream, ..add(number.into(), 1) };
                    journal.push((request.clone(), executor.execute(request).await));
                }
                journal
            })
        })
        .collect();
    let mut journal = Vec::new();
    for client in clients {
        journal.extend(client.await.expect("no client panics"));
    }
    let counts = count_by_command(&*store).await;
    for (request, answer) in &journal {
        let count = counts.get(&request.metadata.command_id).copied().unwrap_or(0);
        let is_right = match answer {
            Ok(_) => count == 1,
            Err(ExecuteError::OutcomeUnknown(_)) => count <= 1,
            Err(ExecuteError::Store(_) | ExecuteError::Contended { .. }) => count == 0,
            Err(_) => false,
        };
        assert!(is_right, "seed {seed}: {count} events after the answer {answer:?}");
    }
    // The store is well again: every command can be brought to its end, once.
    store.always(None);
    for (request, _) in &journal {
        while executor.execute(request.clone()).await.is_err() {}
    }
    let counts = count_by_command(&*store).await;
    assert_eq!(counts.len(), journal.len(), "seed {seed}");
    assert!(counts.values().all(|count| *count == 1), "seed {seed}: a command took effect twice");
    store
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_every_answer_is_true_and_no_command_takes_effect_twice() {
    let mut fired = [0; FAULTS.len()];
    for seed in 0..SEEDS {
        let store = run(seed).await;
        for (count, fault) in fired.iter_mut().zip(FAULTS) {
            *count += store.fired(fault);
        }
    }
    assert!(fired.iter().all(|count| *count > 0), "a planned fault never happened: {FAULTS:?} {fired:?}");
}
