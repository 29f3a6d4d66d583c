//! Which settings of a provider are taken.

use super::*;

fn http() -> Payments {
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    Payments {
        provider: PaymentProvider::Http,
        url: Some("https://payments.example.com".to_owned()),
        secret: secret("open sesame"),
        webhook_secret: secret("a secret of the shop"),
        ..Payments::default()
    }
}

#[test]
fn goods_are_not_given_away_by_mistake() {
    let sandbox = Payments::default();
    sandbox.check(false).expect("it is development");
    let error = sandbox.check(true).expect_err("orders are for real");
    assert!(matches!(error, ConfigError::SandboxInProduction), "{error}");
    Payments { sandbox_in_production: true, ..sandbox }.check(true).expect("it is wanted");
    http().check(true).expect("it is a provider");
}

#[test]
fn a_provider_needs_an_address_and_both_secrets() {
    let lacking = [
        (Payments { url: None, ..http() }, "payments.url"),
        (Payments { secret: None, ..http() }, "payments.secret"),
        (Payments { webhook_secret: None, ..http() }, "payments.webhook_secret"),
    ];
    for (payments, lacks) in lacking {
        let error = payments.check(false).expect_err(lacks);
        assert!(matches!(error, ConfigError::MissingForProvider { key } if key == lacks), "{error}");
    }
    let file = Some(PathBuf::from("secret"));
    let filed =
        Payments { secret: None, secret_file: file.clone(), webhook_secret: None, webhook_secret_file: file, ..http() };
    filed.check(true).expect("they are in files");
}

#[test]
fn secrets_come_from_files_without_their_newline_and_are_not_given_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, "from a file\n").expect("a file");
    let filed = Payments { secret: None, secret_file: Some(file.clone()), ..http() };
    assert_eq!(filed.http_options().expect("options").secret, "from a file");
    let twice = Payments { webhook_secret_file: Some(file), ..http() };
    twice.webhook_secret().expect_err("it is given twice");
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", http(), http().http_options());
    assert!(!shown.contains("sesame") && !shown.contains("of the shop"), "{shown}");
}
