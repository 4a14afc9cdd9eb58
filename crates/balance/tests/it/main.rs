//! What the heart promises, proved from outside: by enumeration, by properties, by threads, by chance.

mod model;

mod every_history;
mod properties;
mod threads;
mod ties;
