//! `wharf completions SHELL`: what a shell must know to complete `wharf` commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{OK, print_exact};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wharf completions bash > /etc/bash_completion.d/wharf\n  \
    wharf completions zsh > /usr/local/share/zsh/site-functions/_wharf\n  \
    wharf completions fish > /etc/fish/completions/wharf.fish")]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "wharf", &mut script);
    print_exact(&String::from_utf8_lossy(&script));
    OK
}
