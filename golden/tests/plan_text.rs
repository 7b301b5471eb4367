//! What `wharf plan` says of the edits that administrators make (`cases/plan`), and what it says of them to the
//! product where the engine only observes (`cases/observe`): the whole text, held.

use golden::cases;
use golden::converge::run;
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let of_both = cases::read("plan", &[]).and_then(|mut plans| {
        plans.extend(cases::read("observe", &[])?);
        Ok(plans)
    });
    let cases = match of_both {
        Ok(cases) => cases,
        Err(wrong) => panic!("{wrong}"),
    };
    let trials = cases.into_iter().map(|case| {
        Trial::test(case.name.clone(), move || {
            let (transcript, _) = run::run_script(&case.text)?;
            cases::hold(&case.path, &case.text, &transcript)?;
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
