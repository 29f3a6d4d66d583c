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

fn verb(line: &str) -> ProjectionsCommand {
    match parse(line).expect(line).role {
        Some(RoleCommand::Projections(args)) => args.command,
        other => panic!("{line}: {other:?}"),
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(ToOwned::to_owned).collect()
}

#[test]
fn projections_are_looked_at_and_steered() {
    let order = |name: &str, reason: Option<&str>| OrderArgs { name: name.to_owned(), reason: reason.map(Into::into) };
    let json = FormatArgs { json: true };
    assert_eq!(verb("millrace projections list --json"), ProjectionsCommand::List(json));
    let show = ShowArgs { name: "a".to_owned(), format: FormatArgs::default() };
    assert_eq!(verb("millrace projections show a"), ProjectionsCommand::Show(show.clone()));
    assert_eq!(verb("millrace projections watch a"), ProjectionsCommand::Watch(show));
    let rebuild = RebuildArgs {
        names: words("a b"),
        from: Some(7),
        dry_run: true,
        reason: Some("r".to_owned()),
        ..RebuildArgs::default()
    };
    let line = "millrace projections rebuild a b --from 7 --dry-run --reason r";
    assert_eq!(verb(line), ProjectionsCommand::Rebuild(rebuild));
    let pause = PauseArgs { order: order("a", Some("r")), at: Some(7) };
    assert_eq!(verb("millrace projections pause a --at 7 --reason r"), ProjectionsCommand::Pause(pause));
    assert_eq!(verb("millrace projections resume a"), ProjectionsCommand::Resume(order("a", None)));
    assert_eq!(verb("millrace projections rollback a"), ProjectionsCommand::Rollback(order("a", None)));
    let discard = DiscardArgs { name: "a".to_owned(), generation: 3, reason: None };
    assert_eq!(verb("millrace projections discard a 3"), ProjectionsCommand::Discard(discard));
    let actions = ActionsArgs { name: Some("a".to_owned()), limit: 2, format: json };
    assert_eq!(verb("millrace projections actions a --limit 2 --json"), ProjectionsCommand::Actions(actions));
}

#[test]
fn rows_and_parked_events_are_named_by_keys() {
    const KEY: &str = "0198c2f0-0000-7000-8000-000000000000";
    let key: uuid::Uuid = KEY.parse().unwrap();
    let rows = CheckArgs { name: "a".to_owned(), keys: vec![key, key], format: FormatArgs::default() };
    let check = verb(&format!("millrace projections check a {KEY} {KEY}"));
    assert_eq!(check, ProjectionsCommand::Check(rows.clone()));
    let repair = RepairArgs { rows, reason: Some("r".to_owned()) };
    let line = format!("millrace projections repair a {KEY} {KEY} --reason r");
    assert_eq!(verb(&line), ProjectionsCommand::Repair(repair));
    let parked = |line: &str| {
        let ProjectionsCommand::Parked(args) = verb(&format!("millrace projections parked {line}")) else {
            panic!("{line}");
        };
        args.command
    };
    let list = ParkedListArgs {
        name: Some("a".to_owned()),
        key: Some(key),
        state: Some(ParkedStateArg::Queued),
        limit: 100,
        format: FormatArgs::default(),
    };
    assert_eq!(parked(&format!("list a --key {KEY} --state queued")), ParkedCommand::List(list));
    let retry = ParkedRetryArgs { name: "a".to_owned(), key: None, reason: None };
    assert_eq!(parked("retry a"), ParkedCommand::Retry(retry.clone()));
    assert_eq!(parked(&format!("retry a {KEY}")), ParkedCommand::Retry(ParkedRetryArgs { key: Some(key), ..retry }));
    let skip = ParkedSkipArgs { name: "a".to_owned(), key, number: 7, reason: "r".to_owned() };
    assert_eq!(parked(&format!("skip a {KEY} 7 --reason r")), ParkedCommand::Skip(skip));
    for line in ["check a", "check a x", "repair a", "discard a", "rebuild", "parked", "parked list --state new"] {
        assert!(parse(&format!("millrace projections {line}")).is_err(), "{line}");
    }
    assert!(parse(&format!("millrace projections parked skip a {KEY} 7")).is_err(), "it needs a reason");
}

#[test]
fn the_short_rebuild_is_the_long_one() {
    let Some(RoleCommand::Rebuild(short)) = parse("millrace rebuild a b --server http://h:1").unwrap().role else {
        panic!("a rebuild was asked for");
    };
    let Some(RoleCommand::Projections(long)) =
        parse("millrace projections rebuild a b --server http://h:1").unwrap().role
    else {
        panic!("a rebuild was asked for");
    };
    assert_eq!(ProjectionsArgs::from(short), *long);
}

#[test]
fn a_server_is_named_by_its_address_in_front_of_and_behind_the_verb() {
    for line in ["projections --server https://h/x/ list", "projections list --server https://h/x"] {
        let Some(RoleCommand::Projections(args)) = parse(&format!("millrace {line}")).expect(line).role else {
            panic!("{line}");
        };
        assert_eq!(args.remote.server.as_deref(), Some("https://h/x"), "{line}");
    }
    let verify = VerifyArgs {
        name: Some("a".to_owned()),
        remote: RemoteArgs { server: Some("http://[::1]:8080".to_owned()) },
        ..VerifyArgs::default()
    };
    assert_eq!(parse("millrace verify a --server http://[::1]:8080").unwrap().role, Some(RoleCommand::Verify(verify)));
    for url in ["h", "h:8080", "/x", "ftp://h", "http://", "http://u:p@h", "http://h?token=x", "file:///etc"] {
        assert!(projections::server_url(url).is_err(), "{url}");
    }
}
