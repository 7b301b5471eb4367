//! Mode `beside`: of the site's clusters those are used that `[beside] clusters` names, none without it.
//!
//! That a name there is no cluster's is for the rules of [`crate::lint`].

use super::Lowering;
use crate::desired::Mode;

impl Lowering<'_> {
    /// Leaves clusters that were not named to the product.
    pub(super) fn leave_clusters_alone(&mut self) {
        if self.out.desired.mode != Mode::Beside {
            return;
        }
        let table = self.read.wharf().and_then(|own| own.value.beside.as_ref());
        let named = table.and_then(|table| table.clusters.as_deref()).unwrap_or_default();
        for (name, spec) in &mut self.out.desired.clusters {
            spec.left_alone = !named.iter().any(|named| named == name.as_str());
        }
    }
}
