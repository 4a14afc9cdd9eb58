//! Whatever requests prefer, and however they come and go: preferences are followed as far as the bound goes, and no further.

use leastbusy_balance::{Fleet, Lease, Member, Pick, Preference, TieBreak, Weight};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// The number is taken modulo how many deployments there are, and so is the next.
    Pick {
        preferred: usize,
        dice: u64,
    },
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // Most want one of two: bounds are there for what everybody wants.
        3 => (prop_oneof![3 => 0..2_usize, 1 => 0..8_usize], any::<u64>())
            .prop_map(|(preferred, dice)| Step::Pick { preferred, dice }),
        2 => any::<usize>().prop_map(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_preference_brings_nobody_above_the_bound(
        weights in prop::collection::vec(1_u32..5, 1..8),
        quarters in prop_oneof![4_u32..9, Just(400)],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let fleet = Fleet::new();
        let weight = |weight: &u32| Weight::new(f64::from(*weight)).expect("above 0");
        let members = weights.iter().map(|of| Member::new(fleet.deploy(), weight(of))).collect();
        let group = fleet.group(members, TieBreak::Random);
        let mut leases: Vec<Lease> = Vec::new();
        for step in steps {
            let (preferred, dice) = match step {
                Step::Pick { preferred, dice } => (preferred % weights.len(), dice),
                Step::End(which) => {
                    if !leases.is_empty() {
                        drop(leases.swap_remove(which % leases.len()));
                    }
                    continue;
                }
            };
            let before = fleet.snapshot();
            let prefer = Preference {
                deployment: group.members()[preferred].deployment,
                bound: f64::from(quarters) / 4.0,
            };
            let lease = group.pick(&Pick { prefer: Some(prefer), dice, ..Pick::default() }).expect("nobody is full");
            let all = before.iter().sum::<u32>() + 1;
            let most = (quarters * weights[preferred] * all).div_ceil(4 * weights.iter().sum::<u32>());
            if before[preferred] < most {
                prop_assert_eq!(lease.member(), preferred, "{:?}, at most {}", before, most);
            } else {
                // As if it preferred nobody: all weights divide 12, so the loads are whole numbers.
                let load = |at: usize| (before[at] + 1) * 12 / weights[at];
                let least = (0..weights.len()).map(load).min();
                prop_assert_eq!(Some(load(lease.member())), least, "{:?} {:?}", before, weights);
            }
            leases.push(lease);
        }
    }
}
