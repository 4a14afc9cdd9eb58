use std::sync::Arc;
use std::time::{Duration, Instant};

use leastbusy_balance::{DeploymentIndex, Fleet};

use super::{Checked, HealthBoard, HealthCounts};
use crate::config::HealthChecks;
use crate::router::filters::left::Left;
use crate::router::probe::{Life, Probe};

const INTERVAL: Duration = Duration::from_secs(60);

struct World {
    board: Arc<HealthBoard>,
    members: Vec<DeploymentIndex>,
    group: Checked,
    start: Instant,
}

impl World {
    fn new(settings: HealthChecks) -> Self {
        let fleet = Fleet::new();
        let members: Vec<_> = (0..3).map(|_| fleet.deploy()).collect();
        let settings = HealthChecks { interval: INTERVAL, routing: true, ..settings };
        let board = Arc::new(HealthBoard::new(settings, members.iter().copied().enumerate()));
        let group = Checked::new(Some(&board), &members).unwrap();
        Self { board, members, group, start: Instant::now() }
    }

    fn sees(&self, member: usize, life: Life, after: Duration) -> bool {
        self.board.note(self.members[member], Probe { life, seen: "seen".to_owned() }, self.start + after)
    }

    fn left(&self, after: Duration) -> Vec<usize> {
        let mut left = Left::among(3, None);
        self.group.keep(&mut left, self.start + after);
        left.iter().collect()
    }
}

#[test]
fn who_failed_is_left_out_until_it_is_up_again() {
    let world = World::new(HealthChecks::default());
    assert_eq!(world.left(Duration::ZERO), [0, 1, 2], "nothing is known yet");
    assert!(world.sees(1, Life::NotShown, Duration::ZERO));
    assert!(!world.sees(1, Life::NotShown, INTERVAL), "no news");
    assert_eq!(world.left(INTERVAL), [0, 2]);
    assert!(world.sees(1, Life::Shown, 2 * INTERVAL));
    assert_eq!(world.left(2 * INTERVAL), [0, 1, 2]);
    assert_eq!(world.board.counts(world.members[1]), HealthCounts { healthy: 1, unhealthy: 2, ignored: 0 });
}

#[test]
fn where_all_failed_all_are_asked() {
    let world = World::new(HealthChecks::default());
    for member in 0..3 {
        assert!(world.sees(member, Life::NotShown, Duration::ZERO));
    }
    assert_eq!(world.left(Duration::ZERO), [0, 1, 2]);
}

#[test]
fn a_check_that_is_too_old_does_not_count() {
    let world = World::new(HealthChecks::default());
    world.sees(0, Life::NotShown, Duration::ZERO);
    let soon = Duration::from_millis(1);
    assert_eq!(world.left(2 * INTERVAL - soon), [1, 2]);
    assert_eq!(world.left(2 * INTERVAL), [0, 1, 2]);
    let staleness = Some(Duration::from_secs(5));
    let world = World::new(HealthChecks { staleness, ..HealthChecks::default() });
    world.sees(0, Life::NotShown, Duration::ZERO);
    assert_eq!(world.left(Duration::from_secs(5) - soon), [1, 2]);
    assert_eq!(world.left(Duration::from_secs(5)), [0, 1, 2]);
}

#[test]
fn being_busy_counts_unless_it_is_to_be_ignored() {
    let world = World::new(HealthChecks::default());
    assert!(world.sees(0, Life::Busy, Duration::ZERO));
    assert_eq!(world.left(Duration::ZERO), [1, 2]);
    let world = World::new(HealthChecks { ignore_transient: true, ..HealthChecks::default() });
    assert!(!world.sees(0, Life::Busy, Duration::ZERO));
    assert_eq!(world.left(Duration::ZERO), [0, 1, 2]);
    assert_eq!(world.board.last(world.members[0]), None);
    assert_eq!(world.board.counts(world.members[0]).ignored, 1);
}

#[test]
fn one_that_had_no_room_for_a_check_stays_as_it_was() {
    let world = World::new(HealthChecks::default());
    world.sees(0, Life::Shown, Duration::ZERO);
    assert!(!world.sees(0, Life::NotAsked, INTERVAL));
    assert_eq!(world.left(INTERVAL), [0, 1, 2]);
    assert_eq!(world.board.last(world.members[0]).unwrap().at, world.start);
}

#[test]
fn checks_decide_on_requests_only_where_they_are_told_to() {
    let settings = HealthChecks::default();
    assert!(!settings.routing);
    assert!(Checked::new(Some(&Arc::new(HealthBoard::new(settings, std::iter::empty()))), &[]).is_none());
    assert!(Checked::new(None, &[]).is_none());
}
