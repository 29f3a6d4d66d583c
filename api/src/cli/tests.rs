//! What can be typed, and what comes of it.

use clap::{CommandFactory as _, error::ErrorKind};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_declarations_fit_together() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_role_everything_runs() {
    assert_eq!(parse("millrace").unwrap().into_role().0, RoleCommand::All);
    assert_eq!(parse("millrace all").unwrap().into_role().0, RoleCommand::All);
}

#[test]
fn settings_can_stand_before_and_after_the_role() {
    let expected =
        Settings { data_dir: Some("d".into()), listen: Some("127.0.0.1:0".parse().unwrap()), ..Settings::default() };
    for line in [
        "millrace --data-dir d --listen 127.0.0.1:0",
        "millrace all --data-dir d --listen 127.0.0.1:0",
        "millrace --data-dir d all --listen 127.0.0.1:0",
        "millrace rebuild order_summary --data-dir d --listen 127.0.0.1:0",
        "millrace events print --data-dir d --listen 127.0.0.1:0",
    ] {
        assert_eq!(parse(line).expect(line).settings, expected, "{line}");
    }
}

#[test]
fn flags_win_over_the_environment() {
    let line = "millrace --listen 127.0.0.1:1 --data-dir d --log-format json --log-filter debug --mode development";
    let environment = ["LISTEN", "DATA_DIR", "LOG__FORMAT", "LOG__FILTER"]
        .map(|key| (format!("MILLRACE_{key}"), "127.0.0.1:9".to_owned()))
        .to_vec();
    let sources = parse(line).unwrap().settings.into_sources(environment);
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.listen.port(), 1);
    assert_eq!(config.data_dir, PathBuf::from("d"));
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Json, "debug"));
}

#[test]
fn a_file_that_was_asked_for_must_be_there_and_the_usual_one_need_not() {
    let given = parse("millrace --config x.toml").unwrap().settings.into_sources(Vec::new());
    assert_eq!(given.file, ConfigFile::Given("x.toml".into()));
    let usual = Settings::default().into_sources(Vec::new());
    assert_eq!(usual.file, ConfigFile::IfPresent("millrace.toml".into()));
}

#[test]
fn a_token_needs_a_subject_and_a_role_and_lasts_twelve_hours() {
    let Ok(Cli { role: Some(RoleCommand::Token(args)), .. }) = parse("millrace token --subject alice --role customer")
    else {
        panic!("a token was asked for");
    };
    assert_eq!(args, TokenArgs { subject: "alice".to_owned(), role: Role::Customer, ttl: TimeDelta::hours(12) });
    for line in ["millrace token --subject alice", "millrace token --role customer"] {
        assert_eq!(parse(line).expect_err(line).kind(), ErrorKind::MissingRequiredArgument, "{line}");
    }
    assert!(parse("millrace token --subject alice --role admin").is_err());
    assert!(Cli::try_parse_from(["millrace", "token", "--role", "operator", "--subject", ""]).is_err());
    assert!(Cli::try_parse_from(["millrace", "token", "--role", "operator", "--subject", "a\nb"]).is_err());
}

#[test]
fn times_have_a_unit() {
    for (text, expected) in [
        ("1s", TimeDelta::seconds(1)),
        ("15m", TimeDelta::minutes(15)),
        ("12h", TimeDelta::hours(12)),
        ("7d", TimeDelta::days(7)),
    ] {
        assert_eq!(duration(text), Ok(expected), "{text}");
    }
    for text in
        ["", "12", "h", "12 h", "12w", "-1h", "0s", "1.5h", "12é", "99999999999999999999s", "9223372036854775807d"]
    {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn events_are_printed_from_a_position_on() {
    let cli = parse("millrace events print --after 7 --limit 3 --stream order-1").unwrap();
    let expected = EventsPrintArgs { after: Some(7), limit: Some(3), stream: Some("order-1".to_owned()) };
    assert_eq!(cli.role, Some(RoleCommand::Events(EventsArgs { command: EventsCommand::Print(expected) })));
    assert!(parse("millrace events").is_err());
    assert!(parse("millrace events tail").is_ok());
}

#[test]
fn events_are_exported_imported_and_checked() {
    let command = |line: &str| match parse(line).expect(line).role {
        Some(RoleCommand::Events(args)) => args.command,
        other => panic!("{line}: {other:?}"),
    };
    let export = EventsExportArgs { to: "d".into(), until: None, resume: false, part_events: None };
    assert_eq!(command("millrace events export --to d"), EventsCommand::Export(export.clone()));
    let more = EventsExportArgs { until: Some(7), resume: true, part_events: Some(1), ..export };
    assert_eq!(
        command("millrace events export --to d --until 7 --resume --part-events 1"),
        EventsCommand::Export(more)
    );
    assert_eq!(
        command("millrace events import --from d"),
        EventsCommand::Import(EventsImportArgs { from: "d".into() })
    );
    let check = EventsCheckArgs { limit: 100, structure: false };
    assert_eq!(command("millrace events check"), EventsCommand::Check(check));
    for line in ["millrace events export", "millrace events import", "millrace events export --to d --part-events 0"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn typos_are_refused() {
    for line in
        ["millrace rebuidl order_summary", "millrace --lisen x", "millrace --listen nowhere", "millrace rebuild"]
    {
        assert!(parse(line).is_err(), "{line}");
    }
}
