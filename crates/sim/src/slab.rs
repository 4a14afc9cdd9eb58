//! Things that come and go, and the keys that find them while they are there.

/// Where a thing is; it finds nothing once the thing is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    place: u32,
    generation: u32,
}

/// Places that are used again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn add(&mut self, thing: T) -> Key {
        if let Some(place) = self.free.pop() {
            let (generation, held) = &mut self.places[place as usize];
            *held = Some(thing);
            return Key { place, generation: *generation };
        }
        let place = u32::try_from(self.places.len()).expect("fewer than 2^32 at once");
        self.places.push((0, Some(thing)));
        Key { place, generation: 0 }
    }

    pub(crate) fn get(&mut self, key: Key) -> Option<&mut T> {
        match &mut self.places[key.place as usize] {
            (generation, held) if *generation == key.generation => held.as_mut(),
            _ => None,
        }
    }

    pub(crate) fn take(&mut self, key: Key) -> Option<T> {
        match &mut self.places[key.place as usize] {
            (generation, held) if *generation == key.generation => {
                let thing = held.take()?;
                *generation = generation.wrapping_add(1);
                self.free.push(key.place);
                Some(thing)
            }
            _ => None,
        }
    }

    /// The keys of the things that are so, by place.
    pub(crate) fn keys(&self, is_so: impl Fn(&T) -> bool) -> Vec<Key> {
        let mut keys = Vec::new();
        for (place, (generation, held)) in (0..).zip(&self.places) {
            if held.as_ref().is_some_and(&is_so) {
                keys.push(Key { place, generation: *generation });
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests;
