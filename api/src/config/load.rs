//! Where settings come from, and in which order: defaults, file, environment, command line.

use std::{io, path::PathBuf};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use super::{
    Config, ConfigError, Overrides, Secret, nearest,
    settings::{Key, Section as _},
};

/// The prefix of every variable that is a setting.
const ENVIRONMENT_PREFIX: &str = "MILLRACE_";
/// Variables with that prefix that are read elsewhere.
const NOT_SETTINGS: &[&str] = &["MILLRACE_CONFIG", "MILLRACE_BLESS", OPERATOR_TOKEN];

/// The token with which the command line speaks to a server that it shares no key with.
const OPERATOR_TOKEN: &str = "MILLRACE_TOKEN";

/// Where a test wants this process to die; see [`infrastructure::failpoint`]. A release build refuses it as unknown.
const FAILPOINT: &str = "MILLRACE_FAILPOINT";

/// Which file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFile {
    /// This one; it must be there.
    Given(PathBuf),
    /// This one, if it is there.
    IfPresent(PathBuf),
}

/// Everything that settings are read from, as data.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file.
    pub file: ConfigFile,
    /// The variables of the environment, all of them.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub overrides: Overrides,
}

/// Where a test wants this process to die, if it does.
#[cfg(debug_assertions)]
pub fn failpoint() -> Option<String> {
    environment().into_iter().find(|(name, _)| name == FAILPOINT).map(|(_, value)| value)
}

/// The token that an operator gave to this process, if any. A variable, because arguments are seen by everybody.
pub fn operator_token() -> Option<Secret<String>> {
    let (_, value) = environment().into_iter().find(|(name, _)| name == OPERATOR_TOKEN)?;
    let token = value.trim();
    (!token.is_empty()).then(|| Secret::new(token.to_owned()))
}

/// The variables of this process.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

/// Reads, merges and checks.
pub(super) fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let mut figment = Figment::new();
    if let Some(toml) = read(&sources.file)? {
        figment = figment.merge(toml);
    }
    for (name, value) in &sources.environment {
        if let Some(setting) = Variable::of(name, value) {
            figment = figment.merge(setting);
        }
    }
    let overrides = Value::serialize(&sources.overrides).map_err(|error| invalid(&error))?;
    if let Value::Dict(_, dict) = overrides {
        figment = figment.merge(CommandLine(dict));
    }
    let dict: Dict = figment.extract().map_err(|error| invalid(&error))?;
    refuse_unknown(&figment, "", Config::KEYS, &dict)?;
    let config: Config = figment.extract().map_err(|error| invalid(&error))?;
    config.check()?;
    Ok(config)
}

fn read(file: &ConfigFile) -> Result<Option<TomlFile>, ConfigError> {
    let (ConfigFile::Given(path) | ConfigFile::IfPresent(path)) = file;
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(TomlFile { path: path.clone(), text })),
        Err(error) if error.kind() == io::ErrorKind::NotFound && matches!(file, ConfigFile::IfPresent(_)) => Ok(None),
        Err(source) => Err(ConfigError::FileUnreadable { path: path.clone(), source }),
    }
}

/// A file that has been read.
struct TomlFile {
    path: PathBuf,
    text: String,
}

impl Provider for TomlFile {
    fn metadata(&self) -> Metadata {
        Metadata::from("file", Source::File(self.path.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Toml::string(&self.text).data()
    }
}

/// One variable of the environment, so that an error can name it.
struct Variable<'a> {
    name: &'a str,
    /// From the outermost section to the key.
    path: Vec<String>,
    value: &'a str,
}

impl<'a> Variable<'a> {
    fn of(name: &'a str, value: &'a str) -> Option<Self> {
        let key = name.strip_prefix(ENVIRONMENT_PREFIX)?;
        if NOT_SETTINGS.contains(&name) || (cfg!(debug_assertions) && name == FAILPOINT) {
            return None;
        }
        Some(Self { name, path: key.to_ascii_lowercase().split("__").map(str::to_owned).collect(), value })
    }
}

impl Provider for Variable<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the environment variable `{}`", self.name))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let value = match self.value.parse::<Value>() {
            Ok(value) => value,
            Err(never) => match never {},
        };
        let mut dict = Dict::new();
        let mut path = self.path.iter().rev();
        if let Some(key) = path.next() {
            dict.insert(key.clone(), value);
        }
        for section in path {
            dict = Dict::from([(section.clone(), Value::from(dict))]);
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// What the command line says.
struct CommandLine(Dict);

impl Provider for CommandLine {
    fn metadata(&self) -> Metadata {
        Metadata::named("the command line")
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

fn refuse_unknown(figment: &Figment, path: &str, keys: &[Key], dict: &Dict) -> Result<(), ConfigError> {
    for (name, value) in dict {
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match keys.iter().find(|key| key.name == name) {
            None => {
                return Err(ConfigError::UnknownKey {
                    origin: figment.find_metadata(&full).map_or_else(|| "the settings".to_owned(), origin),
                    nearest: nearest::key(path, name, keys),
                    key: full,
                });
            }
            Some(Key { section: Some(keys), .. }) => {
                if let Value::Dict(_, dict) = value {
                    refuse_unknown(figment, &full, keys, dict)?;
                }
            }
            Some(Key { section: None, .. }) => {}
        }
    }
    Ok(())
}

fn invalid(error: &figment::Error) -> ConfigError {
    ConfigError::Invalid {
        key: error.path.join("."),
        origin: error.metadata.as_ref().map_or_else(|| "the settings".to_owned(), origin),
        message: error.kind.to_string(),
    }
}

/// The place a value comes from, as a person looks for it.
fn origin(metadata: &Metadata) -> String {
    match metadata.source.as_ref().and_then(Source::file_path) {
        Some(path) => format!("the file `{}`", path.display()),
        None => metadata.name.clone().into_owned(),
    }
}
