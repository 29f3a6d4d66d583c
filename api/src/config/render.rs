//! Settings as a commented TOML file: the committed default file, and what `millrace config` prints.

use std::fmt::Write as _;

use super::{
    Config,
    settings::{Key, Section as _},
};

const HEADER: &str = "\
# Millrace's settings. A file like this is read from ./millrace.toml or from `--config FILE`.
#
# Every key can also be set by the environment: MILLRACE_ and the key in capitals, with two underscores between the
# levels (MILLRACE_LIMITS__BODY_BYTES=65536). The environment wins over the file, the command line over both.
# Keys that are not set and have no default stand here as comments, with an example.
";

/// The settings as TOML with the documentation of every key. Secrets are hidden.
pub(super) fn to_toml(config: &Config) -> String {
    let values = toml::Table::try_from(config).expect("settings are numbers, texts, lists and tables of these");
    let mut text = HEADER.to_owned();
    section(&mut text, "", Config::KEYS, &values);
    text
}

fn section(text: &mut String, path: &str, keys: &[Key], values: &toml::Table) {
    for key in keys {
        text.push('\n');
        for line in key.doc {
            let _ = writeln!(text, "#{line}");
        }
        let value = values.get(key.name);
        match (key.section, value) {
            (Some(keys), Some(toml::Value::Table(values))) => {
                let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
                let _ = writeln!(text, "[{path}]");
                section(text, &path, keys, values);
            }
            (_, Some(value)) => {
                let _ = writeln!(text, "{} = {value}", key.name);
            }
            (_, None) => {
                let _ = writeln!(text, "# {} = {}", key.name, key.example.unwrap_or("\"\""));
            }
        }
    }
}
