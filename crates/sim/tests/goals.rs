//! No goal is missed clearly: a short look, of which `leastbusy sim --goals` is the long one.

use std::num::NonZeroUsize;
use std::thread;

use leastbusy_sim::{Effort, Goal};

#[test]
fn no_goal_is_clearly_missed() {
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for goal in Goal::measure_all(Effort::SHORT, threads, &|| ()) {
        for figure in &goal.figures {
            let margin = figure.measured.margin.expect("there are several seeds");
            eprintln!(
                "{}: {:.4} ± {margin:.4}, {}: {}",
                goal.name, figure.measured.mean, figure.bound, figure.what
            );
            assert!(margin.is_finite(), "{}: {figure:?}", goal.name);
            assert!(!figure.is_clearly_missed(), "{}: {}: {figure:?}", goal.name, goal.says);
        }
    }
}
