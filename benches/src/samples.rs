//! Samples and what may be said of them: median, least, spread. Never a mean.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// Numbers of one kind.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one added last; NaN without samples.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The value below which `share` of them lie (nearest rank); NaN without samples.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let wanted = share * sorted.len() as f64;
        let rank = (1..sorted.len()).take_while(|rank| (*rank as f64) < wanted).count();
        sorted.get(rank).copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The least.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The greatest.
    #[must_use]
    pub fn greatest(&self) -> f64 {
        self.quantile(1.0)
    }

    /// `median (least to greatest)`, with `digits` after the point.
    #[must_use]
    pub fn shown(&self, digits: usize) -> String {
        if self.is_empty() {
            return "-".to_owned();
        }
        let (median, least, greatest) = (self.median(), self.least(), self.greatest());
        format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Raw samples as a CSV file below `benches/results/`.
pub struct Raw {
    file: io::BufWriter<fs::File>,
}

impl Raw {
    /// Begins `benches/results/<name>.csv` anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(name: &str, columns: &str) -> io::Result<Self> {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&dir)?;
        let mut file = io::BufWriter::new(fs::File::create(dir.join(format!("{name}.csv")))?);
        writeln!(file, "{columns}")?;
        Ok(Self { file })
    }

    /// Adds a row, and has it on disk at once: a run that breaks off keeps what it has.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn row(&mut self, row: &str) -> io::Result<()> {
        writeln!(self.file, "{row}")?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let samples: Samples = [5.0, 1.0, 3.0, 2.0, 4.0].into_iter().collect();
        assert_eq!((samples.least(), samples.median(), samples.greatest()), (1.0, 3.0, 5.0));
        assert_eq!(samples.quantile(0.8), 4.0);
        assert_eq!(samples.quantile(0.99), 5.0);
        assert!(Samples::default().median().is_nan());
    }
}
