//! What the heart promises, proved from outside: by enumeration, by properties, by threads, by chance.

mod choices;
mod crowd;
mod instances;
mod model;
mod request;
mod virtual_load;

mod among;
mod burdens;
mod candidates;
mod elsewhere;
mod engines;
mod every_capacity;
mod every_exchange;
mod every_history;
mod every_probe;
mod every_queue;
mod every_request;
mod every_trouble;
mod every_walk;
mod health;
mod limits;
mod minutes;
mod preferences;
mod properties;
mod queue;
mod ramps;
mod recovery;
mod speeds;
mod threads;
mod ties;
mod unheard;
mod views;
mod walk_cooling;
mod walk_full;
mod walk_rules;
