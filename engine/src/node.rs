//! The nodes of the site. With an embedded store there is one: this one.
//!
//! Membership over a shared store comes with several nodes; the port is [`crate::ports::Nodes`].

use std::collections::BTreeMap;

use engine_core::ids::{Moment, NodeId};
use engine_core::known::Known;
use engine_core::observed::NodeSeen;

use crate::ports::Nodes;

/// A site of one node.
#[derive(Clone, Debug)]
pub struct OneNode {
    /// This node.
    pub node: NodeId,
    /// Its cores.
    pub cores: u32,
}

impl Nodes for OneNode {
    fn observe(&mut self, _: Moment) -> BTreeMap<NodeId, Known<NodeSeen>> {
        let seen = NodeSeen { load5_milli: load5_milli(), cores: self.cores, site: None };
        BTreeMap::from([(self.node.clone(), Known::Present(seen))])
    }
}

/// The five-minute load average in thousandths; 0 where the system does not say.
fn load5_milli() -> u32 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let five = text.split_ascii_whitespace().nth(1).and_then(|word| word.parse::<f64>().ok());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is clamped to what fits first"
    )]
    five.map_or(0, |load| (load * 1000.0).clamp(0.0, f64::from(u32::MAX)) as u32)
}
