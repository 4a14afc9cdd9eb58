//! Random histories of several owners: the books are right after every script.

use std::collections::BTreeMap;

use super::*;

const OWNERS: usize = 4;
const DEPLOYMENTS: usize = 3;
const LIMITS: [Option<u32>; DEPLOYMENTS] = [Some(3), Some(5), None];
const STEPS: usize = 400;
const HISTORIES: usize = 3;

/// One instance as it sees itself.
#[derive(Debug, Clone)]
struct Player {
    owner: Owner,
    /// What it has, by deployment.
    has: [u32; DEPLOYMENTS],
    /// Whether its epoch counts in Redis.
    is_in: bool,
}

struct History {
    desk: Desk,
    random: fastrand::Rng,
    players: Vec<Player>,
    /// Epochs that are over.
    over: Vec<Owner>,
    seen: BTreeMap<&'static str, u32>,
}

impl History {
    async fn new(seed: u64) -> Self {
        let players = (0..OWNERS)
            .map(|id| Player { owner: owner(id as u128 + 1, 0), has: [0; DEPLOYMENTS], is_in: false })
            .collect();
        let desk = Desk::open().await;
        Self {
            desk,
            random: fastrand::Rng::with_seed(seed),
            players,
            over: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    fn ids(&self) -> Vec<InstanceId> {
        self.players.iter().map(|player| player.owner.id).collect()
    }

    fn others(&self, at: usize) -> Vec<InstanceId> {
        let me = self.players[at].owner.id;
        self.ids().into_iter().filter(|id| *id != me).collect()
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_insert(0) += 1;
    }

    /// Requests in flight of those who are in.
    fn counted(&self, deployment: usize) -> u32 {
        self.players.iter().filter(|player| player.is_in).map(|player| player.has[deployment]).sum()
    }

    async fn adopts(&mut self, at: usize) {
        let before = self.players[at].owner;
        if 0 < before.epoch {
            self.over.push(before);
        }
        let owner = Owner { epoch: before.epoch + 1, ..before };
        let has: Vec<_> =
            self.players[at].has.iter().enumerate().map(|(at, has)| (deployment(at), *has)).collect();
        let others = self.others(at);
        assert!(matches!(self.desk.adopt(owner, &others, &has).await, Adopted::Counts(_)));
        self.players[at].owner = owner;
        self.players[at].is_in = true;
        self.count("adopt");
    }

    async fn reserves(&mut self, at: usize) {
        let seed = self.random.u32(0..1 << 31);
        let mut offers: Vec<(usize, Offer)> = (0..DEPLOYMENTS)
            .filter(|_| self.random.u8(..4) != 0)
            .map(|at| (at, Offer { limit: LIMITS[at], weight: [0.1, 3.0, 1.0][at], ..offer(at) }))
            .collect();
        self.random.shuffle(&mut offers);
        if offers.is_empty() {
            return;
        }
        let asked: Vec<Offer> = offers.iter().map(|(_, offer)| *offer).collect();
        let player = self.players[at].clone();
        match self.desk.reserve(player.owner, seed, &asked).await {
            Reserved::Taken(place) => {
                let (deployment, offer) = offers[place];
                assert!(player.is_in, "one that is out has taken a place");
                let total = self.counted(deployment);
                assert!(offer.limit.is_none_or(|limit| total < limit), "{total} are there already");
                self.players[at].has[deployment] += 1;
                self.count("reserve");
            }
            Reserved::Full => {
                let is_full = |(at, offer): &(usize, Offer)| {
                    offer.limit.is_some_and(|limit| limit <= self.counted(*at))
                };
                assert!(player.is_in && offers.iter().all(is_full), "a place was free");
                self.count("full");
            }
            Reserved::Fenced => {
                assert!(!player.is_in, "one that is in was refused");
                self.count("fenced reserve");
                if self.random.bool() {
                    self.adopts(at).await;
                }
            }
        }
    }

    async fn gives_back(&mut self, at: usize) {
        let had: Vec<usize> = (0..DEPLOYMENTS).filter(|place| 0 < self.players[at].has[*place]).collect();
        let Some(&place) = had.get(self.random.usize(..had.len().max(1))) else { return };
        let player = &mut self.players[at];
        player.has[place] -= 1;
        let (owner, is_in) = (player.owner, player.is_in);
        let settled = self.desk.settle(owner, &[(deployment(place), -1)]).await;
        assert_eq!(settled.is_some(), is_in, "what one that is out gives back is not counted");
        self.count(if is_in { "release" } else { "fenced release" });
    }

    async fn step(&mut self) {
        let at = self.random.usize(..OWNERS);
        match self.random.u8(..100) {
            0..48 => self.reserves(at).await,
            48..70 => self.gives_back(at).await,
            70..76 => self.adopts(at).await,
            76..80 => {
                // Places taken by shares, while Redis did not answer.
                let place = self.random.usize(..DEPLOYMENTS);
                let owner = self.players[at].owner;
                self.players[at].has[place] += 1;
                let settled = self.desk.settle(owner, &[(deployment(place), 1)]).await;
                assert_eq!(settled.is_some(), self.players[at].is_in);
                self.count("taken without asking");
            }
            80..86 => {
                self.desk.dies(self.players[at].owner.id).await;
                let reaper = self.random.usize(..OWNERS);
                if reaper != at && self.players[reaper].is_in {
                    let others = self.others(reaper);
                    self.desk.beat(self.players[reaper].owner, &others).await.unwrap();
                    self.players[at].is_in = false;
                    self.count("reap");
                } else if self.players[at].is_in {
                    // Nobody has looked, and it lives.
                    self.desk.beat(self.players[at].owner, &[]).await.unwrap();
                    self.count("late beat");
                }
            }
            86..94 => self.late().await,
            94..97 => {
                if self.players[at].is_in {
                    assert!(self.desk.leave(self.players[at].owner).await);
                    self.players[at].is_in = false;
                    self.count("leave");
                }
            }
            97..99 => {
                self.desk.server.command(&["SCRIPT", "FLUSH"]).await;
                self.count("script flush");
            }
            _ => {
                self.desk.server.kill();
                self.desk.server.restart().await;
                self.desk.store = store_at(self.desk.server.port());
                self.players.iter_mut().for_each(|player| player.is_in = false);
                self.count("restart");
            }
        }
    }

    /// Something arrives that was asked under an epoch that is over.
    async fn late(&mut self) {
        let Some(owner) = self.random.choice(&self.over).copied() else { return };
        match self.random.u8(..4) {
            0 => assert_eq!(self.desk.reserve(owner, 1, &[offer(0)]).await, Reserved::Fenced),
            1 => assert_eq!(self.desk.settle(owner, &[(deployment(0), -1), (deployment(1), 2)]).await, None),
            2 => assert_eq!(self.desk.beat(owner, &[]).await, None),
            _ => {
                let is_known = self.players.iter().any(|player| player.owner.id == owner.id && player.is_in);
                let others: Vec<_> = self.ids().into_iter().filter(|id| *id != owner.id).collect();
                if is_known {
                    assert_eq!(self.desk.adopt(owner, &others, &[(deployment(0), 9)]).await, Adopted::Fenced);
                }
            }
        }
        self.count("late");
    }
}

#[tokio::test]
async fn the_books_are_right_after_every_script() {
    for _ in 0..HISTORIES {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        play(seed).await;
    }
}

async fn play(seed: u64) {
    let mut history = History::new(seed).await;
    for at in 0..OWNERS {
        history.adopts(at).await;
    }
    for _ in 0..STEPS {
        history.step().await;
        let ids = history.ids();
        history.desk.is_right(&ids).await;
        for at in 0..DEPLOYMENTS {
            assert_eq!(history.desk.total(at).await, i64::from(history.counted(at)), "deployment {at}");
        }
    }
    eprintln!("{:?}", history.seen);
}
