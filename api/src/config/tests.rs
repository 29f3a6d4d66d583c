//! What is read, in which order, and how typos and mistakes are answered.

use std::{net::SocketAddr, path::PathBuf};

use super::*;

/// Settings of a file with this text, these variables and this command line.
fn load(file: &str, environment: &[(&str, &str)], overrides: Overrides) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("millrace.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&Sources { file: ConfigFile::Given(path), environment, overrides })
}

fn from_file(file: &str) -> Result<Config, ConfigError> {
    load(file, &[], Overrides::default())
}

fn from_environment(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load("", environment, Overrides::default())
}

#[track_caller]
fn message(result: Result<Config, ConfigError>) -> String {
    result.expect_err("refused").to_string()
}

#[test]
fn the_committed_default_file_is_what_the_declarations_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config.default.toml");
    let expected = Config::default_toml();
    #[expect(clippy::disallowed_methods, reason = "asks whether to write the file, as told below")]
    if std::env::var("MILLRACE_BLESS").is_ok() {
        std::fs::write(&path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == expected,
        "api/config.default.toml is not what api/src/config/tree.rs says; \
         regenerate it with `MILLRACE_BLESS=1 cargo test -p api --lib config`"
    );
}

#[test]
fn the_default_file_reads_as_the_defaults() {
    assert_eq!(from_file(&Config::default_toml()).unwrap(), Config::default());
}

#[test]
fn every_example_in_the_default_file_is_a_key_that_can_be_set() {
    let uncommented: String = Config::default_toml()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(example) if example.contains(" = \"") && !example.contains('`') => format!("{example}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let auth = from_file(&uncommented).unwrap().auth;
    assert_eq!(auth.issuer.as_deref(), Some("https://id.example.com/"));
    assert_eq!(auth.audience.as_deref(), Some("millrace"));
    assert!(auth.jwks_file.is_some() && auth.hs256_secret_file.is_some() && auth.hs256_secret.is_some());
}

#[test]
fn every_key_is_documented() {
    fn check(keys: &[settings::Key]) {
        for key in keys {
            assert!(!key.doc.is_empty(), "{} has no documentation", key.name);
            check(key.section.unwrap_or_default());
        }
    }
    check(<Config as settings::Section>::KEYS);
}

#[test]
fn no_file_is_needed() {
    let missing = PathBuf::from("/nonexistent/millrace.toml");
    let sources = |file| Sources { file, environment: Vec::new(), overrides: Overrides::default() };
    assert_eq!(Config::load(&sources(ConfigFile::IfPresent(missing.clone()))).unwrap(), Config::default());
    let error = Config::load(&sources(ConfigFile::Given(missing))).unwrap_err();
    assert_eq!(error.code(), "CONFIG_FILE_UNREADABLE");
    assert!(error.to_string().contains("/nonexistent/millrace.toml"), "{error}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let file =
        "listen = \"127.0.0.1:1\"\ndata_dir = \"file\"\n[limits]\nbody_bytes = 1\n[limits.ws]\nmessage_bytes = 2\n";
    let environment = [("MILLRACE_LISTEN", "127.0.0.1:2"), ("MILLRACE_LIMITS__WS__MESSAGE_BYTES", "3")];
    let listen: SocketAddr = "127.0.0.1:3".parse().unwrap();
    let config = load(file, &environment, Overrides { listen: Some(listen), ..Overrides::default() }).unwrap();
    assert_eq!(config.listen, listen);
    assert_eq!(config.data_dir, PathBuf::from("file"));
    assert_eq!(config.limits.body_bytes.get(), 1);
    assert_eq!(config.limits.ws.message_bytes.get(), 3);

    let config = load(file, &environment, Overrides::default()).unwrap();
    assert_eq!(config.listen.port(), 2);
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let config = from_environment(&[
        ("MILLRACE_LISTEN", "[::1]:0"),
        ("MILLRACE_DATA_DIR", "/var/lib/millrace"),
        ("MILLRACE_ALLOWED_ORIGINS", "[\"https://shop.example.com\", \"http://localhost:3000\"]"),
        ("MILLRACE_LOG__FORMAT", "json"),
        ("MILLRACE_LOG__FILTER", "info,api::edge=debug"),
        ("MILLRACE_AUTH__LEEWAY_S", "0"),
        ("MILLRACE_CONFIG", "read by the command line"),
        ("MILLRACE_TOKEN", "read where a server is asked"),
        ("PATH", "not ours"),
    ])
    .unwrap();
    assert_eq!(config.listen, "[::1]:0".parse().unwrap());
    assert_eq!(config.allowed_origins, ["https://shop.example.com", "http://localhost:3000"]);
    assert_eq!(config.log, Log { format: LogFormat::Json, filter: "info,api::edge=debug".to_owned() });
    assert_eq!(config.auth.leeway_s, 0);
}

#[test]
fn a_typo_is_refused_with_the_nearest_key_and_where_it_is() {
    let text = message(from_file("listn = \"127.0.0.1:1\""));
    assert!(text.starts_with("unknown key `listn` in the file `"), "{text}");
    assert!(text.ends_with("millrace.toml`, did you mean `listen`?"), "{text}");

    assert_eq!(
        message(from_environment(&[("MILLRACE_LIMITS__WS__INIT_TIMEOUT", "1")])),
        "unknown key `limits.ws.init_timeout` in the environment variable `MILLRACE_LIMITS__WS__INIT_TIMEOUT`, \
         did you mean `limits.ws.init_timeout_ms`?"
    );
}

#[test]
fn a_key_in_the_wrong_section_is_refused_with_its_place() {
    let text = message(from_file("issuer = \"x\""));
    assert!(text.ends_with("did you mean `auth.issuer`?"), "{text}");
    let text = message(from_file("[limits]\ncomplexity = 3"));
    assert!(text.ends_with("did you mean `limits.document.complexity`?"), "{text}");
}

#[test]
fn a_key_like_no_other_is_refused_without_a_guess() {
    let text = message(from_file("zzz = 1"));
    assert!(text.starts_with("unknown key `zzz`") && !text.contains("did you mean"), "{text}");
}

#[test]
fn a_value_of_the_wrong_type_names_its_key_and_place() {
    assert_eq!(
        message(from_environment(&[("MILLRACE_LIMITS__BODY_BYTES", "many")])),
        "invalid type: found string \"many\", expected a nonzero usize for `limits.body_bytes` \
         in the environment variable `MILLRACE_LIMITS__BODY_BYTES`"
    );
    for file in [
        "listen = \"somewhere\"",
        "listen = 8080",
        "mode = \"staging\"",
        "limits = 3",
        "[limits]\nbody_bytes = 0",
        "[limits.ws]\nstarts_burst = -1",
        "[executor]\ncache_bytes = 1.5",
        "[log]\nformat = \"xml\"",
    ] {
        let error = from_file(file).expect_err(file);
        assert_eq!(error.code(), "CONFIG_INVALID", "{file}: {error}");
        assert!(error.to_string().contains("millrace.toml"), "{file}: {error}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_refused_by_name() {
    let text = message(from_file("listen = "));
    assert!(text.contains("millrace.toml"), "{text}");
}

#[test]
fn development_mode_serves_this_machine_only() {
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.168.1.7:80"] {
        let error = from_environment(&[("MILLRACE_LISTEN", listen)]).unwrap_err();
        assert_eq!(error.code(), "CONFIG_NOT_LOOPBACK");
        assert!(error.to_string().contains(listen), "{error}");
    }
    for listen in ["127.0.0.1:0", "127.1.2.3:80", "[::1]:80"] {
        assert!(from_environment(&[("MILLRACE_LISTEN", listen)]).is_ok(), "{listen}");
    }
}

#[test]
fn production_mode_needs_an_issuer_an_audience_and_one_source_of_keys() {
    let with = |auth: &str| from_file(&format!("mode = \"production\"\nlisten = \"0.0.0.0:80\"\n[auth]\n{auth}"));
    let complete = "issuer = \"i\"\naudience = \"a\"\njwks_file = \"jwks.json\"\n";
    let config = with(complete).unwrap();
    assert_eq!(
        config.auth.trust().unwrap(),
        Trust { issuer: "i", audience: "a", keys: KeySource::JwksFile(&PathBuf::from("jwks.json")) }
    );
    for line in complete.lines() {
        let error = with(&complete.replace(line, "")).expect_err(line);
        assert_eq!(error.code(), "CONFIG_MISSING", "{line}: {error}");
    }
    let error = with(&format!("{complete}hs256_secret_file = \"s\"")).unwrap_err();
    assert_eq!(error.to_string(), "`auth` names more than one source of keys: jwks_file, hs256_secret_file");
}

#[test]
fn origins_are_origins() {
    for wrong in ["*", "shop.example.com", "https://", "https://shop.example.com/", "https://Shop.example.com", "null"]
    {
        let error = from_file(&format!("allowed_origins = [\"{wrong}\"]")).expect_err(wrong);
        assert!(error.to_string().contains(wrong), "{error}");
    }
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    assert!(message(from_file("[log]\nfilter = \"api=loud\"")).starts_with("`log.filter`: "));
}

#[test]
fn a_secret_is_never_shown() {
    const SECRET: &str = "correct horse battery staple 0123456789";
    let config = from_environment(&[("MILLRACE_AUTH__HS256_SECRET", SECRET)]).unwrap();
    assert_eq!(config.auth.hs256_secret.as_ref().unwrap().expose(), SECRET);
    assert!(!format!("{config:?}").contains(SECRET));
    assert!(config.to_toml().contains("hs256_secret = \"[hidden]\""));
    assert!(!config.to_toml().contains(SECRET));
}

#[test]
fn not_even_a_secret_of_the_wrong_type_is_shown() {
    for value in ["9021090210", "[9021090210]", "{x = 9021090210}"] {
        let error = from_environment(&[("MILLRACE_AUTH__HS256_SECRET", value)]).expect_err(value);
        assert!(!error.to_string().contains("90210"), "{error}");
        assert!(!format!("{error:?}").contains("90210"), "{error:?}");
        assert!(error.to_string().contains("MILLRACE_AUTH__HS256_SECRET"), "{error}");
    }
}
