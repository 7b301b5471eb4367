//! Every case of `cases/lint` prints what its file says, and every rule across files has a set in which it
//! finds something and one in which it does not.

use std::collections::{BTreeMap, BTreeSet};

use engine_core::{explain, lint};
use golden::lint_cases::{code_of, problems_of, run_case};
use golden::{cases, sources};
use grammar::error::Code;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut sides: BTreeMap<Code, BTreeSet<bool>> = BTreeMap::new();
    let all = cases::read("lint", &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    for case in all {
        let code = code_of(&case.name);
        let ran = code.and_then(|code| Ok((code, run_case(code, &case.text)?)));
        if let Ok((code, (_, looks))) = &ran {
            let seen = sides.entry(*code).or_default();
            seen.extend(looks.iter().map(|found| found.contains(code)));
        }
        let wanted = ran.map(|(_, (transcript, _))| transcript);
        trials.push(Trial::test(format!("lint/{}", case.name), move || {
            cases::hold(&case.path, &case.text, &wanted?)?;
            Ok(())
        }));
    }
    trials.push(Trial::test("both-sides", move || both_sides(&sides)));
    trials.push(Trial::test("explanations", explanations));
    trials.push(Trial::test("every-code-has-a-line", every_code_has_a_line));
    libtest_mimic::run(&arguments, trials).exit();
}

/// A rule that never fires is no rule, and one that always fires is none either.
fn both_sides(sides: &BTreeMap<Code, BTreeSet<bool>>) -> Result<(), Failed> {
    let rules: BTreeSet<Code> = lint::rules().map(|rule| rule.code).collect();
    let has = |code: &Code, side| sides.get(code).is_some_and(|seen| seen.contains(&side));
    let mut wrong = Vec::new();
    for code in &rules {
        if !has(code, true) {
            wrong.push(format!("{code} finds nothing in any case"));
        }
        if !has(code, false) {
            wrong.push(format!("{code} has no case in which it finds nothing"));
        }
    }
    wrong.extend(sides.keys().filter(|c| !rules.contains(c)).map(|c| format!("{c} is no rule")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The wrong example of each page has its problem, and the right one has not.
fn explanations() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for explanation in explain::all() {
        let Some(page) = explanation.page else { continue };
        let code = explanation.code;
        let found = [problems_of(&page.wrong)?, problems_of(&page.right)?];
        if !found[0].contains(&code) {
            wrong.push(format!("{code}: the wrong example has {:?}", found[0]));
        }
        if found[1].contains(&code) {
            wrong.push(format!("{code}: the right example has it, too"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Whatever number stands in the code, `wharf explain` knows it.
fn every_code_has_a_line() -> Result<(), Failed> {
    let known: BTreeSet<u16> = explain::all().iter().map(|found| found.code.0).collect();
    let mut wrong = Vec::new();
    for source in sources::rust() {
        let path = source.path.as_str();
        if !path.starts_with("engine/core/src/") && !path.starts_with("engine/src/") {
            continue;
        }
        let code = source.production();
        for (at, _) in code.match_indices("Code(") {
            let digits: String =
                code[at + 5..].trim_start().chars().take_while(char::is_ascii_digit).collect();
            let number = digits.parse::<u16>();
            wrong
                .extend(number.ok().filter(|n| !known.contains(n)).map(|n| format!("{path}: {n}")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
