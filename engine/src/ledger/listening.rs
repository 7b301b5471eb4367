//! Where each node lets people in, as it was opened last: an engine that is started again while it is paused opens that,
//! and not what was written meanwhile.

use std::collections::BTreeMap;

use engine_core::desired::ListenAddress;
use engine_core::ids::NodeId;

use super::wire::{self, decoded};
use super::{Ledger, below};
use crate::ports::{StoreError, Versioned};
use crate::store::keys;

impl Ledger {
    /// Where a node lets people in; none = it does not.
    #[must_use]
    pub fn www(&self, node: &NodeId) -> Option<&ListenAddress> {
        self.www.get(node)
    }

    /// Writes down where a node lets people in, if that is something else than what is written.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_www(
        &mut self,
        node: &NodeId,
        address: Option<ListenAddress>,
    ) -> Result<(), StoreError> {
        if self.www.get(node) == address.as_ref() {
            return Ok(());
        }
        match address {
            Some(address) => {
                let record = wire::WwwRecord { address: address.clone() };
                self.put(keys::www(node), &record)?;
                self.www.insert(node.clone(), address);
            }
            None => {
                self.remove(keys::www(node))?;
                self.www.remove(node);
            }
        }
        Ok(())
    }

    pub(super) fn read_www(&mut self, all: &[(String, Versioned)]) -> Result<(), String> {
        let mut www = BTreeMap::new();
        for (key, record) in below(all, keys::WWW) {
            let Ok(node) = key[keys::WWW.len()..].parse::<NodeId>() else { continue };
            www.insert(node, decoded::<wire::WwwRecord>(key, record)?.address);
        }
        self.www = www;
        Ok(())
    }
}
