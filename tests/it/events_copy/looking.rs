//! `millrace events print | tail | check | export` on the event store of the settings.

use serde_json::{Value, json};

use super::*;

/// A shop on the event store elsewhere, with other people's events before, between and after.
async fn shop_elsewhere(data: &Path) -> (Elsewhere, Vec<RecordedEvent>) {
    let mut elsewhere = Elsewhere::new().await;
    let server = Server::start_in(data, elsewhere.start()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let order = shop::place(&alice, &tea.id).await;
    elsewhere.write_of_others().await;
    shop::ship(&operator, &order.id).await;
    shop::place(&alice, &tea.id).await;
    server.stop().await;
    elsewhere.write_of_others().await;
    let log = whole_log(&elsewhere.open().await).await;
    (elsewhere, log)
}

fn lines(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn print_shows_the_log_of_the_settings() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let (elsewhere, log) = shop_elsewhere(&data).await;
    let shown = |event: &RecordedEvent| json!([event.position.value(), event.stream.to_string(), event.id]);
    let print = |arguments: &[&str]| {
        let printed = elsewhere.events(&data, &[&["print"], arguments].concat()).ok();
        lines(&printed).iter().map(|line| json!([line["position"], line["stream"], line["id"]])).collect::<Vec<_>>()
    };
    let all: Vec<_> = log.iter().map(shown).collect();
    assert_eq!(all.len(), 4);
    assert_eq!(print(&[]), all);
    assert_eq!(print(&["--limit", "2"]), all[..2]);
    assert_eq!(print(&["--after", &log[0].position.to_string()]), all[1..]);
    assert_eq!(print(&["--stream", &log[1].stream.to_string()]), all[1..3]);
    assert_eq!(print(&["--stream", &log[1].stream.to_string(), "--after", &log[1].position.to_string()]), all[2..3]);

    // A number that is no position there, whatever it would be here.
    let made_up = (log[1].position.value() + 1).to_string();
    for command in ["print", "tail"] {
        let refused = elsewhere.events(&data, &[command, "--after", &made_up]);
        assert_refused(&refused, "POSITION_UNKNOWN");
        assert_eq!(refused.code, 2, "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_shows_what_is_appended_to_the_log_of_the_settings() {
    let folder = temp_dir();
    let [data, says] = ["data", "says"].map(|name| folder.path().join(name));
    let (mut elsewhere, log) = shop_elsewhere(&data).await;
    let file = fs::File::create(&says).expect("a file");
    let mut command = elsewhere.command(&data, &["events", "tail", "--after", &log[1].position.to_string()]);
    let mut child = command.stdout(file).spawn().expect("it starts");
    let shown = || lines(&fs::read_to_string(&says).expect("a file")).len();
    eventually("what is there is shown", async || (shown() == 2).then_some(())).await;
    let there = elsewhere.open().await;
    elsewhere.write_of_others().await;
    write_history(&there, &mut Random::new(1), 3, 1).await;
    let more = whole_log(&there).await.len() - 2;
    eventually("what comes is shown", async || (shown() == more).then_some(())).await;
    assert!(send_signal("TERM", child.id()));
    assert!(child.wait().expect("it is our child").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_reads_the_log_of_the_settings_and_leaves_its_files_to_the_event_store() {
    let folder = temp_dir();
    let data = folder.path().join("data");
    let (elsewhere, log) = shop_elsewhere(&data).await;
    let said = elsewhere.events(&data, &["check"]).ok();
    assert_eq!(said, format!("{} events: this build reads all of them\n", log.len()));
    let refused = elsewhere.events(&data, &["check", "--structure"]);
    assert_refused(&refused, "STRUCTURE_NOT_OURS");
    assert_eq!(refused.code, 2, "{refused:?}");
    write_history(&elsewhere.open().await, &mut Random::new(1), 3, 5).await;
    let found = elsewhere.events(&data, &["check"]);
    assert!(found.stderr.contains("error[EVENTS_UNREADABLE]"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_the_log_of_the_settings_goes_on_and_cannot_be_imported() {
    let folder = temp_dir();
    let [data, first, second, import] = ["data", "first", "second", "import"].map(|name| folder.path().join(name));
    let (elsewhere, log) = shop_elsewhere(&data).await;
    let path = |path: &Path| path.to_str().expect("a path").to_owned();
    let until = log[2].position.to_string();
    let said = elsewhere.events(&data, &["export", "--to", &path(&first), "--until", &until]).ok();
    assert!(said.contains(&format!("3 events in 1 parts, as of position {until}")), "{said}");
    elsewhere.events(&data, &["export", "--to", &path(&first), "--resume"]).ok();
    let said = elsewhere.events(&data, &["export", "--to", &path(&second)]).ok();
    assert!(said.contains("4 events in 1 parts"), "{said}");

    // Half of another log cannot be gone on with.
    let other = Elsewhere::new().await;
    let stranger = StreamId::new("order", Uuid::max());
    let new = [new_event(&mut Random::new(1), 1)].into();
    let append = Append { stream: stranger, expected: ExpectedRevision::NoStream, events: new };
    other.open().await.append(append).await.expect("it is appended");
    assert_refused(&other.events(&data, &["export", "--to", &path(&first), "--resume"]), "EXPORT_MISMATCH");

    let refused = events(&import, &["import", "--from", &path(&second)]);
    assert_refused(&refused, "EXPORT_NOT_GAPLESS");
    assert!(refused.stderr.contains("millrace events copy"), "{refused:?}");
}
