use super::Crew;

#[test]
fn the_parts_of_all_instances_are_all_places_in_every_turn() {
    for all in 1..=9 {
        for places in 0..=40 {
            for turn in 0..20 {
                let crew = |rank| Crew { others: all - 1, rank };
                let parts: Vec<u32> = (0..all).map(|rank| crew(rank).share_of(places, turn)).collect();
                assert_eq!(parts.iter().sum::<u32>(), places, "{all} instances, turn {turn}: {parts:?}");
                let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
                assert!(most - least <= 1, "{parts:?}");
            }
        }
    }
}

#[test]
fn the_one_place_goes_round() {
    let has_it = |turn| (0..4).position(|rank| Crew { others: 3, rank }.share_of(1, turn) == 1).unwrap();
    let mut turns: Vec<usize> = (0..4).map(has_it).collect();
    turns.sort_unstable();
    assert_eq!(turns, [0, 1, 2, 3]);
}
