//! A real JupyterLab behind the proxy, used by a person at a browser, while its engine is killed underneath.

use std::time::Duration;

use golden::real::{Chromium, Engine, Process, Site, holds_for, jupyter};
use rustix::process::Signal;

/// A site whose one session is the JupyterLab that `golden/run` installs.
fn site() -> Site {
    let site = Site::empty();
    let exe = jupyter::installed();
    let policy = golden::real::site::wharf_toml("60s");
    let table = format!("{policy}[workbenches.jupyterlab]\nexe = \"{}\"\n", exe.display());
    site.write("wharf.toml", &table);
    site.write("sessions.d/lab.toml", "workbench = \"jupyterlab\"\n");
    site
}

#[test]
fn a_kernel_keeps_its_variables_while_the_engine_is_killed_and_started_again() {
    let mut engine = Engine::start(site());
    let lab = engine.running("lab");
    let port = engine.listening();
    let address = format!("http://127.0.0.1:{port}");

    let mut page = Chromium::start();
    page.open(&format!("{address}{}", engine.sign_in_path()));
    page.open(&format!("{address}/s/lab/lab"));
    jupyter::wait_launcher(&mut page);
    page.keep_picture("jupyter-launcher");
    jupyter::start_notebook(&mut page);
    assert_eq!(jupyter::run(&mut page, "x = 41"), "");
    assert_eq!(jupyter::run(&mut page, "x + 1"), "42");
    let kernel = jupyter::run(&mut page, "import os; os.getpid()");
    jupyter::save(&mut page);
    page.keep_picture("jupyter-before");
    let kernel = Process::of(kernel.parse().expect("a pid")).expect("the kernel runs");

    engine.kill_9();
    holds_for(Duration::from_secs(2), || {
        assert!(lab.is_alive(), "JupyterLab lives while no engine does");
        assert!(kernel.is_alive(), "and so does its kernel");
    });

    engine.restart();
    assert_eq!(engine.running("lab"), lab, "adopted: the same process");
    let plan = engine.admin(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    assert!(plan.stdout.contains("No changes."), "{plan:?}");

    let notebook = format!("http://127.0.0.1:{}/s/lab/lab/tree/Untitled.ipynb", engine.listening());
    page.open(&notebook);
    jupyter::wait_notebook(&mut page);
    assert_eq!(jupyter::run(&mut page, "x + 1"), "42", "the same kernel");
    assert_eq!(jupyter::run(&mut page, "os.getpid()"), kernel.pid.to_string());
    page.keep_picture("jupyter-after");

    assert!(engine.admin(&["session", "stop", "lab"]).code == Some(0));
    engine.wait_status("the session ends", |status| {
        let session = golden::real::engine::session(status, "lab")?;
        (session.state == "stopped").then_some(())
    });
    assert!(!lab.is_alive() && !kernel.is_alive(), "nothing of it is left");
    assert_eq!(engine.end(Signal::TERM), Some(0));
}
