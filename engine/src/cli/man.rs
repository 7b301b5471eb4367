//! `wharf man`: manual pages, made of the command line's own words and of the catalogue.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use grammar::manual::roff;
use grammar::source::FileKind;

use super::{FAILED, OK, complain, print_exact};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf man | man -l -\n  wharf man check | man -l -\n  \
    wharf man rserver.conf | man -l -\n  wharf man --dir /usr/local/share/man")]
pub(super) struct ManArgs {
    /// A command (`check`, `session list`) or a configuration file [default: wharf itself]
    page: Vec<String>,
    /// Write every page below this directory, into man1 and man5
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    dir: Option<PathBuf>,
}

/// A manual page.
struct Page {
    name: String,
    section: u8,
    text: Vec<u8>,
}

pub(super) fn run(args: &ManArgs) -> u8 {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(error) => {
            complain(&format!("cannot make the pages: {error}"));
            return FAILED;
        }
    };
    if let Some(dir) = &args.dir {
        return match write(dir, &pages) {
            Ok(()) => OK,
            Err(error) => {
                complain(&format!("{}: {error}", dir.display()));
                FAILED
            }
        };
    }
    let name = args.page.join("-");
    let command = if name.is_empty() { "wharf".to_owned() } else { format!("wharf-{name}") };
    match pages.iter().find(|page| page.name == command || page.name == name) {
        Some(page) => {
            print_exact(&String::from_utf8_lossy(&page.text));
            OK
        }
        None => {
            let names: Vec<&str> = pages.iter().map(|page| &*page.name).collect();
            complain(&format!("there is no page `{name}`; there are {}", names.join(", ")));
            FAILED
        }
    }
}

/// All pages: one for each command, then one for each configuration file.
fn pages() -> std::io::Result<Vec<Page>> {
    let mut pages = Vec::new();
    let mut command = super::Cli::command();
    command.build();
    add_command(&mut pages, &command, "wharf")?;
    let version = env!("CARGO_PKG_VERSION");
    for kind in FileKind::ALL {
        let text = roff::page(kind, version).into_bytes();
        pages.push(Page { name: kind.file_name().to_owned(), section: 5, text });
    }
    Ok(pages)
}

/// The page of a command and those of the commands below it.
fn add_command(pages: &mut Vec<Page>, command: &Command, name: &str) -> std::io::Result<()> {
    if command.is_hide_set() || command.get_name() == "help" {
        return Ok(());
    }
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone()).title(name).manual("Wharfinger");
    // An empty date would be left out, and the program's name taken for one.
    let page = page.date(" ");
    page.source(concat!("wharf ", env!("CARGO_PKG_VERSION"))).render(&mut text)?;
    pages.push(Page { name: name.to_owned(), section: 1, text });
    for below in command.get_subcommands() {
        add_command(pages, below, &format!("{name}-{}", below.get_name()))?;
    }
    Ok(())
}

fn write(dir: &Path, pages: &[Page]) -> std::io::Result<()> {
    for page in pages {
        let dir = dir.join(format!("man{}", page.section));
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join(format!("{}.{}", page.name, page.section)), &page.text)?;
    }
    Ok(())
}
