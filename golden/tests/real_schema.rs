//! Somebody else's validator (Python's `jsonschema`, which JupyterLab brings) with our schemas and golden cases: what
//! our readers take without an error fits, and what they refuse for a reason that a schema can tell does not.

use std::path::Path;
use std::process::Command;

use golden::real::jupyter::installed;

/// Prints a line for each file that is judged wrongly, then how many were judged each way.
const JUDGE: &str = r##"
import json, pathlib, re, sys, tomllib
import jsonschema

root = pathlib.Path(sys.argv[1])
schemas = {
    name: json.loads((root / f"samples/schema/{name}.schema.json").read_text())
    for name in ["wharf", "session", "template", "gateway", "node"]
}
for schema in schemas.values():
    jsonschema.Draft7Validator.check_schema(schema)

def fits(kind, text):
    validator = jsonschema.Draft7Validator(schemas[kind])
    return validator.is_valid(tomllib.loads(text))

kinds = {"wharf.toml": "wharf", "sessions.d": "session", "templates.d": "template",
         "gateways.d": "gateway", "nodes.d": "node"}
files = [(path, kinds.get(path.parent.name, "wharf"), path.read_text(), [])
         for path in sorted((root / "samples/quickstart").rglob("*.toml"))]
for path in sorted((root / "golden/cases/own").glob("*.case")):
    kind, rest = path.read_text().split("\n", 1)
    text, said = rest.split("-----\n", 1)
    files.append((path, kind.strip(), text, re.findall(r"error\[(WH\d+)\]", said)))

# What several fields mean together, and whether a text is TOML at all, is beyond a schema.
BEYOND = {"WH0501", "WH0506"}
taken = refused = beyond = 0
for path, kind, text, errors in files:
    if "WH0501" in errors:
        beyond += 1
        continue
    fit = fits(kind, text)
    if not errors and not fit:
        print(f"{path}: is refused by the schema of {kind}")
    elif fit and not set(errors) <= BEYOND:
        print(f"{path}: is taken by the schema of {kind}: {errors}")
    taken, refused = taken + (not errors), refused + (not fit)
    beyond += bool(errors) and fit
print(f"{taken} valid files fit, {refused} invalid ones do not, {beyond} are beyond a schema")
"##;

#[test]
fn schemas_take_what_the_readers_take_and_refuse_what_they_can() {
    let python = installed().with_file_name("python");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(python).args(["-c", JUDGE]).arg(root).output();
    let output = output.expect("the Python of JupyterLab runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said.lines().count(), 1, "{said}");
    println!("{said}");
}
