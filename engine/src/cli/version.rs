//! `wharf version`.

use clap::Args;

use super::{OK, print};

#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VersionArgs) -> u8 {
    let version = env!("CARGO_PKG_VERSION");
    let protocols = (crate::admin::protocol::PROTOCOL, crate::status::STATUS_FORMAT);
    let text = if args.json {
        let (admin, status) = protocols;
        serde_json::json!({ "version": version, "admin-protocol": admin, "status-format": status })
            .to_string()
    } else {
        format!("wharf {version}")
    };
    print(&format!("{text}\n"));
    OK
}
