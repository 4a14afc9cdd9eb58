use super::Slab;

#[test]
fn a_key_finds_its_thing_until_that_is_taken_and_nothing_after() {
    let mut slab = Slab::new();
    let (one, two) = (slab.add("one"), slab.add("two"));
    assert_eq!((slab.get(one).copied(), slab.get(two).copied()), (Some("one"), Some("two")));
    assert_eq!(slab.take(one), Some("one"));
    assert_eq!((slab.get(one).copied(), slab.take(one)), (None, None));
}

#[test]
fn a_place_that_is_used_again_does_not_answer_to_its_old_key() {
    let mut slab = Slab::new();
    let old = slab.add(1);
    slab.take(old);
    let new = slab.add(2);
    assert_eq!((old.place, slab.places.len()), (new.place, 1));
    assert_eq!((slab.get(old).copied(), slab.take(old), slab.take(new)), (None, None, Some(2)));
}

#[test]
fn keys_are_of_the_things_that_are_so_and_there() {
    let mut slab = Slab::new();
    let keys: Vec<_> = (0..6).map(|number| slab.add(number)).collect();
    slab.take(keys[2]);
    assert_eq!(slab.keys(|number| number % 2 == 0), [keys[0], keys[4]]);
    let again = slab.add(8);
    assert_eq!(slab.keys(|number| number % 2 == 0), [keys[0], again, keys[4]]);
}
