//! What a look at the world takes over from the one before. Decides nothing.

use super::Observed;

impl Observed {
    /// Takes over from the look before what is as it was: since when a launcher is silent, and the allocations of
    /// incarnations.
    pub fn follow(&mut self, last: &Self) {
        self.incarnations.share(&last.incarnations, PartialEq::eq);
        for (cluster, (since, _)) in &mut self.silent_clusters {
            if let Some((before, _)) = last.silent_clusters.get(cluster) {
                *since = *before.min(since);
            }
        }
    }
}
