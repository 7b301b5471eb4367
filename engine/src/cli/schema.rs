//! `wharf schema NAME`: the JSON Schema of our own files, for editors that read a `#:schema` line.

use clap::Args;
use grammar::own::OwnKind;
use grammar::own::{schema, schema_name};

use super::{FAILED, OK, complain, print_exact};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wharf schema session > /usr/share/wharf/schema/session.schema.json"
)]
pub(super) struct SchemaArgs {
    /// wharf, session, template, gateway or node
    name: String,
}

pub(super) fn run(args: &SchemaArgs) -> u8 {
    let word = |kind: OwnKind| schema_name(kind).split('.').next().unwrap_or_default();
    match OwnKind::ALL.into_iter().find(|kind| word(*kind) == args.name) {
        Some(kind) => {
            print_exact(&schema(kind));
            OK
        }
        None => {
            let known: Vec<&str> = OwnKind::ALL.into_iter().map(word).collect();
            complain(&format!(
                "no schema is called `{}`; there are {}",
                args.name,
                known.join(", ")
            ));
            FAILED
        }
    }
}
