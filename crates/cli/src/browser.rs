//! Opening a browser on this machine: the one that `BROWSER` names, or what the desktop opens addresses with.

use std::env;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use touchmark_transport::Url;

/// How long a program may take to say that it cannot. `xdg-open` returns at once, a browser stays.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens the address, and says whether anything did. No shell sees it.
pub(crate) fn open(url: &Url) -> bool {
    let commands = commands(&|name| env::var(name).ok());
    commands.iter().filter_map(|command| with_address(command, url.as_str())).any(|words| start(&words))
}

/// What to try, in order. `BROWSER` is a list with colons between commands, of which `%s` stands for the address
/// ([the convention](http://www.catb.org/~esr/BROWSER/)).
fn commands(variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let mut commands: Vec<String> = variable("BROWSER")
        .iter()
        .flat_map(|list| list.split(':'))
        .filter(|command| !command.trim().is_empty())
        .map(str::to_owned)
        .collect();
    if cfg!(target_os = "macos") {
        commands.push("open".to_owned());
    } else if set("DISPLAY") || set("WAYLAND_DISPLAY") {
        // Without a display, xdg-open takes the terminal for a browser in text.
        commands.push("xdg-open".to_owned());
    }
    commands
}

/// The words of a command with the address in its place, or at its end.
fn with_address(command: &str, address: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = command.split_whitespace().map(|word| word.replace("%s", address)).collect();
    if words.is_empty() {
        return None;
    }
    if !command.contains("%s") {
        words.push(address.to_owned());
    }
    Some(words)
}

fn start(words: &[String]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.is_ok_and(did_not_fail)
}

/// Whether the program ended well, or is still there after a while.
fn did_not_fail(mut child: Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(PATIENCE / 20),
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_browsers_come_first_and_the_desktops_only_with_a_display() {
        let with = |table: &'static [(&'static str, &'static str)]| {
            let commands = commands(&|name| {
                table.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            });
            commands.into_iter().filter(|command| command != "open").collect::<Vec<_>>()
        };
        assert_eq!(with(&[]), Vec::<String>::new());
        assert_eq!(with(&[("BROWSER", "firefox: :lynx %s")]), ["firefox", "lynx %s"]);
        if !cfg!(target_os = "macos") {
            assert_eq!(with(&[("BROWSER", "a"), ("DISPLAY", ":0")]), ["a", "xdg-open"]);
        }
    }

    #[test]
    fn the_address_is_one_word_where_the_command_wants_it() {
        let address = "https://i.example/auth?a=b&c=d e";
        assert_eq!(with_address("open -a x", address).unwrap(), ["open", "-a", "x", address]);
        assert_eq!(with_address("b --url=%s -q", address).unwrap(), ["b", &format!("--url={address}"), "-q"]);
        assert_eq!(with_address(" ", address), None);
    }

    #[test]
    fn a_program_that_is_not_there_or_fails_opened_nothing() {
        assert!(!start(&["no-such-program".to_owned()]));
        assert!(!start(&["false".to_owned()]));
        assert!(start(&["true".to_owned()]));
    }
}
