//! The policy's pauses, and what is remembered of keys that wait.

use std::time::Duration;

use super::*;

const KEYS: u128 = 200;

#[test]
fn pauses_double_up_to_the_longest_and_are_spread_by_key() {
    let policy = OnFailure::park();
    for (attempts, longest) in [(1, 200), (2, 400), (3, 800), (4, 1_600)] {
        let longest = Duration::from_millis(longest);
        let pauses: Vec<Duration> =
            (0..KEYS).filter_map(|key| policy.pause_after(attempts, Uuid::from_u128(key))).collect();
        assert_eq!(pauses.len() as u128, KEYS);
        assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{attempts}: {pauses:?}");
        let distinct: std::collections::HashSet<_> = pauses.iter().collect();
        assert!(distinct.len() as u128 > KEYS / 2, "they come back together");
    }
    assert_eq!(policy.pause_after(5, Uuid::nil()), None, "then it waits for an operator");
    let patient = policy.attempts(40).pause_after(39, Uuid::nil()).unwrap();
    assert!(patient <= Duration::from_secs(30));
}
