//! Which node a new session goes to: the balancer's method, by weight (behaviour.md 1.1).
//!
//! Whole numbers only, so that every node comes to the same answer. Knows nothing of what a session
//! needs besides a node: the caller says which nodes suit it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Input, balance};
use crate::desired::{BalancerMethod, NodeSpec, Placement};
use crate::ids::{Digest, NodeId, SessionId, UserName};
use crate::known::Known;

/// A node that a new session could go to, with what it is chosen by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) node: NodeId,
    pub(crate) weight: u32,
    pub(crate) sessions: u64,
    pub(crate) load5_milli: u32,
    pub(crate) cores: u32,
}

/// The nodes that may take new sessions, looked up once for all starts of a round.
#[derive(Debug)]
pub(super) struct Shares(Vec<(Candidate, NodeSpec)>);

impl Shares {
    /// Every node that is online and has a weight, with the sessions that it has. One pass over what runs.
    pub(super) fn of(input: &Input<'_>) -> Self {
        let sessions = sessions_by_node(input);
        let weights = balance::wanted(input).weights;
        let positive = weights.into_iter().filter(|(_, weight)| *weight > 0);
        let online = positive.filter(|(node, _)| input.observed.is_online(node));
        let share = |(node, weight): (NodeId, u32)| {
            let seen = input.observed.nodes.get(&node).and_then(Known::present);
            let spec = input.desired.node(&node);
            let candidate = Candidate {
                weight,
                sessions: sessions.get(&node).copied().unwrap_or(0),
                load5_milli: seen.map_or(0, |seen| seen.load5_milli),
                cores: seen.map_or(1, |seen| seen.cores.max(1)),
                node,
            };
            (candidate, spec)
        };
        Self(online.map(share).collect())
    }

    /// The best node for a new session of these wishes.
    pub(super) fn best(
        &self,
        method: BalancerMethod,
        placement: &Placement,
        user: &UserName,
    ) -> Option<&NodeId> {
        best(method, self.suiting(placement), user).map(|candidate| &candidate.node)
    }

    /// Counts a session that a round gives to a node.
    pub(super) fn give(&mut self, node: &NodeId) {
        if let Some((candidate, _)) = self.0.iter_mut().find(|(share, _)| share.node == *node) {
            candidate.sessions += 1;
        }
    }

    /// The nodes that take a new session of these wishes: with its labels, and with room.
    fn suiting(&self, placement: &Placement) -> impl Iterator<Item = &Candidate> {
        let suits = |(candidate, spec): &&(Candidate, NodeSpec)| {
            let named = placement.nodes.as_ref().is_none_or(|all| all.contains(&candidate.node));
            let mut labels = placement.require.iter();
            named
                && labels.all(|(key, value)| spec.labels.get(key) == Some(value))
                && spec.max_sessions.is_none_or(|most| candidate.sessions < u64::from(most))
        };
        self.0.iter().filter(suits).map(|(candidate, _)| candidate)
    }
}

/// The nodes that take a new session of these wishes: online, with weight, labels and room.
pub(crate) fn candidates(input: &Input<'_>, placement: &Placement) -> Vec<Candidate> {
    Shares::of(input).suiting(placement).cloned().collect()
}

/// Live sessions of each node, and those whose start there is written down.
fn sessions_by_node<'a>(input: &Input<'a>) -> BTreeMap<&'a NodeId, u64> {
    let live = input.observed.incarnations.iter().filter_map(|(incarnation, known)| {
        let seen = known.present().filter(|seen| seen.phase.is_live())?;
        Some((&seen.node, &incarnation.session))
    });
    let placed = input.observed.records.present().into_iter().flat_map(|records| {
        records.placements.iter().map(|(session, placed)| (&placed.node, session))
    });
    let mut all: Vec<(&NodeId, &SessionId)> = live.chain(placed).collect();
    all.sort_unstable();
    all.dedup();
    let mut sessions = BTreeMap::new();
    for (node, _) in all {
        *sessions.entry(node).or_default() += 1;
    }
    sessions
}

/// The best of the candidates for a user. A method that asks a program falls back on counting sessions.
pub(crate) fn best<'a>(
    method: BalancerMethod,
    candidates: impl IntoIterator<Item = &'a Candidate>,
    user: &UserName,
) -> Option<&'a Candidate> {
    candidates.into_iter().min_by(|a, b| {
        let first = match method {
            BalancerMethod::Sessions | BalancerMethod::Custom => Ordering::Equal,
            BalancerMethod::SystemLoad => by_load(a, b),
            BalancerMethod::UserHash => by_hash(a, b, user),
        };
        first.then_with(|| by_sessions(a, b)).then_with(|| a.node.cmp(&b.node))
    })
}

/// Sessions per weight with the new one counted, compared without division: a/x < b/y as a*y < b*x.
fn by_sessions(a: &Candidate, b: &Candidate) -> Ordering {
    let left = u128::from(a.sessions + 1) * u128::from(b.weight);
    let right = u128::from(b.sessions + 1) * u128::from(a.weight);
    left.cmp(&right)
}

/// Load per core and weight.
fn by_load(a: &Candidate, b: &Candidate) -> Ordering {
    let share = |c: &Candidate| u128::from(c.cores) * u128::from(c.weight);
    (u128::from(a.load5_milli) * share(b)).cmp(&(u128::from(b.load5_milli) * share(a)))
}

/// Weighted rendezvous: the lowest of -log2(hash of user and node) / weight. A node that comes or goes
/// moves only the users that it gains or loses.
fn by_hash(a: &Candidate, b: &Candidate, user: &UserName) -> Ordering {
    let cost = |c: &Candidate| u128::from(bits_below_one(hash(user, &c.node)));
    (cost(a) * u128::from(b.weight)).cmp(&(cost(b) * u128::from(a.weight)))
}

fn hash(user: &UserName, node: &NodeId) -> u64 {
    let text = Digest::of(format!("{user}\n{node}").as_bytes()).to_string();
    u64::from_str_radix(&text[..16], 16).unwrap_or(0)
}

/// `-log2(h / 2^64)` with 16 fractional bits; a hash of 0 counts as 1.
fn bits_below_one(hash: u64) -> u64 {
    let hash = hash.max(1);
    let whole = 63 - u64::from(hash.leading_zeros());
    // The mantissa in [1, 2) with 32 fractional bits; squaring it doubles its logarithm.
    let mut mantissa = u128::from(hash) << hash.leading_zeros() >> 31;
    let mut fraction = 0;
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 32;
        fraction <<= 1;
        if mantissa >> 33 != 0 {
            fraction |= 1;
            mantissa >>= 1;
        }
    }
    (64 << 16) - ((whole << 16) + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(node: &str, weight: u32, sessions: u64, load5_milli: u32) -> Candidate {
        Candidate { node: node.parse().unwrap(), weight, sessions, load5_milli, cores: 2 }
    }

    fn chosen(method: BalancerMethod, candidates: &[Candidate], user: &str) -> String {
        best(method, candidates, &user.parse().unwrap()).unwrap().node.to_string()
    }

    #[test]
    fn fewest_sessions_per_weight_and_then_the_first_name() {
        let method = BalancerMethod::Sessions;
        assert_eq!(chosen(method, &[candidate("a", 1, 2, 0), candidate("b", 1, 1, 9)], "u"), "b");
        assert_eq!(chosen(method, &[candidate("a", 3, 5, 0), candidate("b", 1, 1, 0)], "u"), "a");
        assert_eq!(chosen(method, &[candidate("a", 1, 1, 0), candidate("b", 1, 1, 0)], "u"), "a");
        // The new session counts: 3/2 is less than 2/1.
        assert_eq!(chosen(method, &[candidate("a", 1, 1, 0), candidate("b", 2, 2, 0)], "u"), "b");
    }

    #[test]
    fn lowest_load_per_core_and_weight() {
        let method = BalancerMethod::SystemLoad;
        let even = [candidate("a", 1, 0, 500), candidate("b", 1, 9, 400)];
        assert_eq!(chosen(method, &even, "u"), "b");
        let weighted = [candidate("a", 2, 0, 500), candidate("b", 1, 9, 400)];
        assert_eq!(chosen(method, &weighted, "u"), "a");
        let mut wide = even.clone();
        wide[0].cores = 4;
        assert_eq!(chosen(method, &wide, "u"), "a");
        let same = [candidate("a", 1, 3, 400), candidate("b", 1, 1, 400)];
        assert_eq!(chosen(method, &same, "u"), "b");
        // Four cores of weight 1 share like two cores of weight 2.
        let mut shares = [candidate("a", 1, 3, 400), candidate("b", 2, 1, 400)];
        shares[0].cores = 4;
        assert_eq!(chosen(method, &shares, "u"), "b");
    }

    #[test]
    fn a_user_stays_on_a_node_and_shares_follow_weights() {
        let method = BalancerMethod::UserHash;
        let nodes = [candidate("a", 1, 0, 0), candidate("b", 3, 0, 0), candidate("c", 1, 0, 0)];
        let users: Vec<String> = (0..1000).map(|n| format!("user{n}")).collect();
        let of: Vec<String> = users.iter().map(|user| chosen(method, &nodes, user)).collect();
        let share = |node: &str| of.iter().filter(|chosen| *chosen == node).count();
        assert!((150..250).contains(&share("a")), "{}", share("a"));
        assert!((530..670).contains(&share("b")), "{}", share("b"));
        for (user, before) in users.iter().zip(&of).filter(|(_, before)| *before != "c") {
            assert_eq!(&chosen(method, &nodes[..2], user), before, "only users of c move");
        }
    }

    #[test]
    fn the_logarithm_is_right_at_powers_of_two_and_between() {
        assert_eq!(bits_below_one(1 << 63), 1 << 16);
        assert_eq!(bits_below_one(1), 64 << 16);
        assert_eq!(bits_below_one(0), 64 << 16);
        // 3/4: -log2 is 0.41504, times 65536 is 27200.
        assert!((27_199..=27_201).contains(&bits_below_one(3 << 62)));
        // The same mantissa 22 bits lower.
        assert!((1_468_991..=1_468_993).contains(&bits_below_one(3 << 40)));
    }
}
