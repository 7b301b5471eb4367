//! Prints what `grammar/fuzz/run` must know: without an argument the readers, with one the words of that reader,
//! in the form of libFuzzer's dictionaries.

use grammar::exercise::{target, targets};

fn main() {
    let Some(name) = std::env::args().nth(1) else {
        for target in targets() {
            println!("{}", target.name());
        }
        return;
    };
    let Some(target) = target(&name) else { panic!("no reader is called `{name}`") };
    for word in target.words() {
        let escaped: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        println!("\"{escaped}\"");
    }
}
