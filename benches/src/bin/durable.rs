//! What a durable change costs, beside the same bytes appended to a file with `fdatasync`, in turns.
//!
//! *floor* appends what the store is given and syncs; *store* is one commit; *ledger* one placement, number and
//! intent, as a plan writes it; *group of N* so many placements that one wave of a plan writes. A placement's share of
//! a sync is the size of the group divided by how many floors it took.
//!
//! `durable [RUNS] [DIR]`, 30 runs unless said, in a new directory below `target`, which is on a disk and not in
//! memory. Raw samples go to `benches/results/durable.csv`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use benches::samples::{Raw, Samples};
use benches::{Outcome, machine};
use engine::ledger::{Ledger, Seal};
use engine::ports::{Batch, Store};
use engine::store::sled::SledStore;
use engine_core::ids::{Incarnation, Moment, NodeId, SessionId};

/// Placements of one wave.
const GROUPS: [usize; 3] = [16, 64, 256];

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let runs: usize = args.next().map_or(Ok(30), |text| text.parse())?;
    let below = args.next().map_or_else(beside_the_program, |dir| Ok(PathBuf::from(dir)))?;
    let dir = tempfile::tempdir_in(below)?;
    println!("before: {}\n", machine::describe());
    let mut bench = Bench::new(dir.path())?;
    let mut raw = Raw::create("durable", "what,run,milliseconds,load")?;
    let names = ["floor", "store", "ledger", "group of 16", "group of 64", "group of 256"];
    let mut samples: [Samples; 6] = Default::default();
    for run in 0..runs {
        for (at, (name, samples)) in names.iter().zip(&mut samples).enumerate() {
            let begun = Instant::now();
            match at {
                0 => bench.floor()?,
                1 => bench.commit()?,
                2 => bench.place(1)?,
                _ => bench.place(GROUPS[at - 3])?,
            }
            samples.add(begun.elapsed().as_secs_f64() * 1e3);
            let load = machine::load_average();
            raw.row(&format!("{name},{run},{},{load}", samples.last()))?;
        }
    }
    show(names, &samples);
    println!("\nafter: {}", machine::describe());
    Ok(())
}

fn show(names: [&str; 6], samples: &[Samples; 6]) {
    let floor = &samples[0];
    println!("ms, median (least to greatest)\n");
    println!("| what | ms | to the floor: medians, least | placements a floor: medians, least |");
    println!("|---|---:|---:|---:|");
    for (at, (name, samples)) in names.iter().zip(samples).enumerate() {
        let (median, least) = (samples.median() / floor.median(), samples.least() / floor.least());
        let placements = match at {
            0 | 1 => String::new(),
            2 => format!("{:.2}, {:.2}", 1.0 / median, 1.0 / least),
            _ => {
                let count = GROUPS[at - 3] as f64;
                format!("{:.0}, {:.0}", count / median, count / least)
            }
        };
        println!("| {name} | {} | {median:.2}, {least:.2} | {placements} |", samples.shown(2));
    }
}

/// Where this program was built: a disk that builds are on.
fn beside_the_program() -> Outcome<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_path_buf())
}

/// A store with its records, and a file to hold it against.
struct Bench {
    file: File,
    store: Arc<SledStore>,
    ledger: Ledger,
    next: u32,
}

impl Bench {
    fn new(dir: &Path) -> Outcome<Self> {
        let file = File::options().create_new(true).append(true).open(dir.join("floor"))?;
        let store = Arc::new(SledStore::open(&dir.join("store"), Moment(0))?.store);
        let ledger = Ledger::open(Arc::<SledStore>::clone(&store), Seal::new(&[7; 32]), Moment(0));
        Ok(Self { file, store, ledger, next: 0 })
    }

    /// As many bytes as a placement writes, keys and values of two records.
    fn floor(&mut self) -> Outcome<()> {
        let batch = self.batch();
        let bytes: Vec<u8> = batch
            .put
            .iter()
            .flat_map(|(key, value)| key.bytes().chain(value.iter().copied()))
            .collect();
        self.file.write_all(&bytes)?;
        Ok(self.file.sync_data()?)
    }

    fn commit(&mut self) -> Outcome<()> {
        let batch = self.batch();
        self.store.commit(&batch)?;
        Ok(())
    }

    fn place(&mut self, count: usize) -> Outcome<()> {
        let node: NodeId = "node1".parse()?;
        let mut writes = Vec::new();
        for _ in 0..count {
            let incarnation = Incarnation::new(self.session()?, 1);
            writes.push(self.ledger.placing(&incarnation, &node, Moment(1_760_000_000_000))?);
        }
        let results = self.ledger.write(writes);
        Ok(results.into_iter().collect::<Result<(), _>>()?)
    }

    fn session(&mut self) -> Outcome<SessionId> {
        self.next += 1;
        Ok(SessionId::new(&format!("session-{:07}", self.next))?)
    }

    fn batch(&mut self) -> Batch {
        self.next += 1;
        let name = format!("session-{:07}", self.next);
        let placed = r#"{"format":1,"n":1,"node":"node1","at":1760000000000}"#;
        let put = vec![
            (format!("bench/number/{name}"), br#"{"format":1,"n":1}"#.to_vec()),
            (format!("bench/placement/{name}"), placed.as_bytes().to_vec()),
        ];
        Batch { put, ..Batch::default() }
    }
}
