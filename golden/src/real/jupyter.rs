//! JupyterLab's page as a person uses it: the launcher, a notebook, a cell that is typed and run.

use std::path::PathBuf;

use serde_json::Value;

use super::{Chromium, wait_for};

/// The cells of the notebook in front.
const CELLS: &str =
    "[...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell')]";

/// After so many looks in vain something is done again.
const AGAIN: u32 = 40;

/// After so many looks at the same a page has come to rest.
const AT_REST: u32 = 12;

/// The `jupyter` that `golden/run` installs from the pinned requirements.
///
/// # Panics
/// It is not installed: with what installs it.
#[must_use]
pub fn installed() -> PathBuf {
    let link = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/jupyter");
    let exe = std::fs::canonicalize(link).map(|dir| dir.join("bin/jupyter"));
    exe.ok()
        .filter(|exe| exe.is_file())
        .unwrap_or_else(|| panic!("no JupyterLab in {link}: golden/run installs it"))
}

/// The directory around it: one that sessions of another account reach, also where they do not reach the checkout.
///
/// # Panics
/// As [`installed`].
#[must_use]
pub fn cache() -> PathBuf {
    let exe = installed();
    exe.ancestors().nth(3).expect("CACHE/jupyter/bin/jupyter").to_owned()
}

/// Waits until the launcher is there, by what assistive software reads of it.
///
/// # Panics
/// It never comes.
#[track_caller]
pub fn wait_launcher(page: &mut Chromium) {
    page.wait_accessible("the launcher's tab", |node| {
        node.role == "tab" && node.name == "Launcher"
    });
    page.wait_accessible("a notebook to start", |node| {
        node.role == "button" && node.name.starts_with("Python 3")
    });
}

/// Starts a notebook from the launcher.
///
/// # Panics
/// It does not open.
#[track_caller]
pub fn start_notebook(page: &mut Chromium) {
    page.click(".jp-LauncherCard[data-category=\"Notebook\"]");
    wait_notebook(page);
}

/// Waits until a notebook and its kernel are there.
///
/// # Panics
/// They never are.
#[track_caller]
pub fn wait_notebook(page: &mut Chromium) {
    let idle = "document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) \
                .jp-Notebook-ExecutionIndicator')?.dataset.status";
    wait_for("a notebook with an idle kernel", || match page.try_evaluate(idle)? {
        Value::String(status) if status == "idle" => Ok(()),
        other => Err(other.to_string()),
    });
}

/// Types `code` into the last cell, runs it with Shift and Enter, and gives what is shown below it.
///
/// # Panics
/// It never ends.
#[track_caller]
pub fn run(page: &mut Chromium, code: &str) -> String {
    let last = type_into_last_cell(page, code);
    let editor = editor_of(last);
    let result = format!(
        "(() => {{ const c = {CELLS}[{last}]; \
         return [c.querySelector('.jp-InputPrompt').innerText, \
                 c.querySelector('.jp-OutputArea-output')?.innerText ?? '']; }})()"
    );
    let mut looks = 0_u32;
    wait_for(code, || {
        let seen = page.try_evaluate(&result)?;
        let prompt = seen[0].as_str().unwrap_or_default();
        if prompt.chars().any(|c| c.is_ascii_digit()) {
            return Ok(seen[1].as_str().unwrap_or_default().trim().to_owned());
        }
        if looks.is_multiple_of(AGAIN) && !prompt.contains('*') {
            page.click_on(&editor);
            page.shift_press("Enter", 13);
        }
        looks += 1;
        Err(seen.to_string())
    })
}

/// Types `code` into the last cell; its number.
#[track_caller]
fn type_into_last_cell(page: &mut Chromium, code: &str) -> u64 {
    let mut last = wait_empty_cell(page);
    let mut looks = 0_u32;
    wait_for("the text stands in the cell", || {
        let typed = format!("{}?.innerText.trim()", editor_of(last));
        let seen = page.try_evaluate(&typed)?;
        if looks.is_multiple_of(AGAIN) {
            match seen.as_str() {
                // A page that is still being built may lose what is typed: then it is typed again, as people do.
                Some("") => {
                    page.click_on(&editor_of(last));
                    page.type_text(code);
                }
                // Or it puts cells of the file before the one that seemed to be the last.
                Some(other) if !code.starts_with(other) => last = wait_empty_cell(page),
                _ => {}
            }
        }
        looks += 1;
        let seen = page.try_evaluate(&format!("{}?.innerText.trim()", editor_of(last)))?;
        if seen == code { Ok(last) } else { Err(seen.to_string()) }
    })
}

/// Asked for anew each time: a page that is still being built exchanges its elements.
fn editor_of(cell: u64) -> String {
    format!("{CELLS}[{cell}]?.querySelector('.cm-content')")
}

/// The number of the last cell once it is empty; where it is not, a cell is added.
#[track_caller]
fn wait_empty_cell(page: &mut Chromium) -> u64 {
    let look = format!(
        "(() => {{ const all = {CELLS}, last = all.at(-1); if (!last) return null; \
         return [all.length - 1, last.querySelector('.cm-content')?.innerText?.trim() ?? '?']; }})()"
    );
    let (mut looks, mut same, mut before) = (0_u32, 0_u32, Value::Null);
    wait_for("an empty cell", || {
        let seen = page.try_evaluate(&look)?;
        looks += 1;
        // The page puts cells in one after the other: it has come to rest when nothing changes any more.
        same = if seen == before { same + 1 } else { 0 };
        before.clone_from(&seen);
        match (seen[0].as_u64(), seen[1].as_str()) {
            (Some(last), Some("")) if same >= AT_REST => return Ok(last),
            (Some(_), Some("")) => {}
            // Shift and Enter adds one by itself, a moment later.
            (Some(_), Some(_)) if looks.is_multiple_of(AGAIN) => {
                page.click_on(&format!("{CELLS}.at(-1)?.querySelector('.jp-InputPrompt')"));
                page.click("[data-jp-item-name=\"insert\"]");
            }
            _ => {}
        }
        Err(seen.to_string())
    })
}

/// Saves the notebook, as a person does before leaving.
///
/// # Panics
/// It is not saved.
#[track_caller]
pub fn save(page: &mut Chromium) {
    page.press("s", 83, 2);
    // An untitled one is asked for its name; the one it has is good enough.
    let dirty = "(() => { document.querySelector('.jp-Dialog .jp-mod-accept')?.click(); \
                 return document.querySelectorAll('.jp-mod-dirty').length; })()";
    wait_for("the notebook is saved", || match page.try_evaluate(dirty)?.as_u64() {
        Some(0) => Ok(()),
        other => Err(format!("{other:?} unsaved")),
    });
}
