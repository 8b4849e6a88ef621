//! Specs as a whole: what is refused, what is admitted, and that no words are too odd.

use proptest::prelude::*;

use super::{Function, Spec, Specs, Word};
use crate::pci::device::Kind;

fn text(value: &str) -> Word {
    Word::text(value)
}

fn entry(keys: &[(&str, Word)]) -> Vec<(Box<str>, Word)> {
    keys.iter().map(|(key, word)| ((*key).into(), word.clone())).collect()
}

fn table(parts: &[(&str, &str)]) -> Word {
    Word::Table(parts.iter().map(|(part, expression)| ((*part).into(), text(expression))).collect())
}

fn specs(entries: &[&[(&str, Word)]]) -> Specs {
    let entries: Vec<_> = entries.iter().map(|keys| entry(keys)).collect();
    Specs::parse(entries.iter().map(Vec::as_slice)).unwrap()
}

fn at(address: &str) -> Option<Function> {
    Function::new(address, "8086", "1889", Kind::Pci)
}

fn pf() -> Option<Function> {
    let pf = Function::new("0000:41:00.0", "8086", "1592", Kind::Pf);
    pf.map(|one| one.with_vfs().with_netdevs(["ens1f0".into()]))
}

fn vf(number: u8) -> Option<Function> {
    let vf = Function::new(&format!("0000:41:01.{number}"), "8086", "1889", Kind::Vf);
    vf.map(|one| one.with_parent("0000:41:00.0"))
}

/// Which of the addresses one spec admits.
fn admitted<'a>(address: Word, candidates: &[&'a str]) -> Vec<&'a str> {
    let functions: Vec<_> = candidates.iter().map(|one| at(one)).collect();
    let found = specs(&[&[("address", address)]]).find_all(&functions);
    candidates.iter().zip(found).filter(|(_, at)| at.is_some()).map(|(one, _)| *one).collect()
}

#[test]
fn more_than_ids_is_asked_for_by_a_place_or_a_serial_number() {
    let on = Word::Bool(true);
    for (key, word, more) in [
        ("product_id", text("1889"), false),
        ("trusted", on.clone(), false),
        ("address", text("*:*:*.*"), false),
        ("address", text("0000:41:00.*"), true),
        ("devname", text("ens1f0"), true),
        ("remote_managed", on, true),
    ] {
        let list = specs(&[&[("vendor_id", text("8086"))], &[(key, word)]]);
        assert_eq!(list.ask_more_than_ids(), more, "{key}");
    }
}

#[test]
fn q8_what_is_missing_of_an_address_is_filled_from_the_left() {
    let all = ["0000:0a:00.0", "0000:00:0a.0", "0001:0a:00.5", "10000:0a:00.5"];
    for (address, wanted) in [
        ("0a", &["0000:00:0a.0"][..]),
        ("0a:00", &["0000:0a:00.0", "0001:0a:00.5", "10000:0a:00.5"]),
        ("0a:00.5", &["0001:0a:00.5", "10000:0a:00.5"]),
        (":0a:00.", &["0000:0a:00.0", "0001:0a:00.5", "10000:0a:00.5"]),
        ("0:A:0.0", &["0000:0a:00.0"]),
        ("0x0:0x0a:0x00.*", &["0000:0a:00.0"]),
        (" 0001 : 0a : 00 . 5 ", &["0001:0a:00.5"]),
        ("10000:0a:00.5", &["10000:0a:00.5"]),
        (".5", &["0001:0a:00.5", "10000:0a:00.5"]),
        ("*:*:*.*", &all),
        ("", &all),
    ] {
        assert_eq!(admitted(text(address), &all), wanted, "{address}");
    }
}

#[test]
fn q9_expressions_are_matched_from_the_start_and_not_to_the_end() {
    let all = ["0000:0a:02.0", "0000:a0:00.3", "10000:02:20.7"];
    let all: Vec<&str> = all.iter().copied().filter(|one| at(one).is_some()).collect();
    for (part, expression, wanted) in [
        ("bus", "0", &["0000:0a:02.0"][..]),
        ("bus", "a", &["0000:a0:00.3"]),
        ("bus", "0$", &[]),
        ("bus", "(?i)A", &["0000:a0:00.3"]),
        ("bus", "A", &[]),
        ("slot", "2", &[]),
        ("slot", "^02$", &["0000:0a:02.0"]),
        ("function", "[2-4]", &["0000:a0:00.3"]),
        ("domain", "", &["0000:0a:02.0", "0000:a0:00.3"]),
        ("domain", "1000", &[]),
    ] {
        assert_eq!(admitted(table(&[(part, expression)]), &all), wanted, "{part} {expression}");
    }
    assert_eq!(admitted(table(&[("domain", "1000")]), &["10000:02:00.7"]), ["10000:02:00.7"]);
}

#[test]
fn what_is_wrong_is_told_with_its_key_all_at_once() {
    let problems = Spec::parse(&entry(&[
        ("vendor_id", Word::Null),
        ("product_id", Word::Number("20567".into())),
        ("address", table(&[("bus", "(?=a)")])),
        ("managed", text("maybe")),
        ("count", text("1")),
        ("nested", Word::Table(Vec::new())),
        ("fine", text("x")),
    ]))
    .unwrap_err();
    let keys: Vec<_> = problems.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["vendor_id", "product_id", "address.bus", "managed", "count", "nested"]);
    assert!(problems[0].problem.contains("null") && problems[1].problem.contains("20567"));
    assert!(problems[2].problem.contains("look-around"));
}

#[test]
fn wrong_words_are_refused() {
    let address = |words: Word| ("address", words);
    for keys in [
        vec![("vendor_id", text(""))],
        vec![("vendor_id", text("+86"))],
        vec![("vendor_id", text("18086"))],
        vec![("vendor_id", Word::List)],
        vec![address(text("0000:0a:00:00.5"))],
        vec![address(text("0000:0a:20.5"))],
        vec![address(text("0000:100:00.5"))],
        vec![address(text("0000:0a:00.8"))],
        vec![address(text("0000:0a:00.5.1"))],
        vec![address(text("0*:0a:00.5"))],
        vec![address(text("-1:0a:00.5"))],
        vec![address(Word::Bool(false))],
        vec![address(Word::Number("0".into()))],
        vec![address(Word::List)],
        vec![address(table(&[("func", "1")]))],
        vec![address(table(&[("bus", "[")]))],
        vec![address(table(&[("bus", r"(a)\1")]))],
        vec![address(table(&[("bus", "(a{1000}){1000}")]))],
        vec![address(Word::Table(vec![("bus".into(), Word::Number("10".into()))]))],
        vec![address(text("*")), ("devname", text("ens1f0"))],
        vec![("devname", Word::Bool(true))],
        vec![("live_migratable", Word::Number("2".into()))],
        vec![("numa_node", text("0"))],
        vec![("", text("x"))],
    ] {
        assert!(Spec::parse(&entry(&keys)).is_err(), "{keys:?}");
    }
}

#[test]
fn tags_are_texts_and_booleans_are_normalised() {
    let spec = Spec::parse(&entry(&[
        ("trusted", Word::Bool(true)),
        ("managed", text(" Yes ")),
        ("live_migratable", Word::Number("0".into())),
        ("one_time_use", Word::Null),
        ("remote_managed", text("junk")),
        ("physical_network", Word::Null),
        ("rank", Word::Number("3".into())),
        ("traits", text("A,B")),
        ("resource_class", text("X")),
    ]))
    .unwrap();
    let tags: Vec<_> = spec.tags().iter().map(|(key, value)| (&**key, value.as_deref())).collect();
    assert_eq!(
        tags,
        [
            ("live_migratable", Some("false")),
            ("managed", Some("true")),
            ("one_time_use", None),
            ("physical_network", None),
            ("rank", Some("3")),
            ("remote_managed", Some("junk")),
            ("trusted", Some("true")),
        ]
    );
}

#[test]
fn the_address_of_a_pf_admits_its_vfs() {
    let host = [pf(), vf(0), vf(1), at("0000:41:02.0")];
    let exact = table(&[("domain", "0000"), ("bus", "41"), ("slot", "00"), ("function", "0")]);
    for place in
        [("address", text("0000:41:00.0")), ("address", exact), ("devname", text("ens1f0"))]
    {
        let found = specs(&[std::slice::from_ref(&place)]).find_all(&host);
        assert_eq!(found, [Some(0), Some(0), Some(0), None], "{place:?}");
        let found = specs(&[&[place.clone(), ("product_id", text("1889"))]]).find_all(&host);
        assert_eq!(found, [None, Some(0), Some(0), None], "{place:?}");
    }
    // Not every address: only the one that is spelled out in full.
    assert_eq!(specs(&[&[("address", text("41:00.0"))]]).find_all(&host)[1], None);
    assert_eq!(specs(&[&[("devname", text("eth9"))]]).find_all(&host), [None; 4]);
    // VFs tell of their PF, also when it is not among the functions.
    assert_eq!(specs(&[&[("address", text("0000:41:00.0"))]]).find_all(&[vf(0)]), [Some(0)]);
}

#[test]
fn the_first_spec_that_matches_counts() {
    let list = specs(&[&[("address", text("*:41:*.*"))], &[("vendor_id", text("0x8086"))], &[]]);
    let other = Function::new("0000:42:00.1", "10de", "0001", Kind::Pci);
    assert_eq!(list.find_all(&[vf(0), at("0000:42:00.0"), other]), [Some(0), Some(1), Some(2)]);
}

#[test]
fn q10_what_is_no_address_is_admitted_by_nothing_and_hurts_nobody() {
    for address in ["", "junk", "0000:0a:00", "0000:0a:00.", "0000:0a:00.9", "0000:0a:00.*"] {
        assert!(at(address).is_none(), "{address}");
        assert_eq!(specs(&[&[]]).find_all(&[at(address), vf(0)]), [None, Some(0)]);
    }
}

#[test]
fn ids_of_devices_are_compared_in_any_case() {
    let device = Function::new("0000:0A:00.0", "10DE", "1DB6", Kind::Pci);
    let spec = specs(&[&[("vendor_id", text("10de")), ("product_id", text("1Db6"))]]);
    assert_eq!(spec.find_all(&[device]), [Some(0)]);
}

#[test]
fn q11_remote_managed_takes_the_vfs_with_a_serial_and_never_the_pf() {
    let remote = ("remote_managed", text("true"));
    let serial = |function: Option<Function>| function.map(|one| one.with_serial("MT1"));
    for place in [("address", text("0000:41:00.0")), ("devname", text("ens1f0"))] {
        let spec = specs(&[&[place, remote.clone()]]);
        assert_eq!(spec.find_all(&[pf(), serial(vf(0)), vf(1)]), [None, Some(0), None]);
        // A VF has the serial number of its PF.
        assert_eq!(spec.find_all(&[serial(pf()), vf(0)]), [None, Some(0)]);
        assert_eq!(spec.idle(&[pf(), vf(0)]), [0]);
    }
    let vdpa = Function::new("0000:41:01.2", "8086", "1889", Kind::Vdpa).unwrap();
    let vdpa = Some(vdpa.with_parent("0000:41:00.0"));
    assert_eq!(specs(&[&[remote]]).find_all(&[serial(pf()), vdpa]), [Some(0), None]);
}

#[test]
fn specs_that_nothing_reaches_are_found() {
    let list = specs(&[
        &[("vendor_id", text("8086")), ("address", text("*:41:*.*"))],
        &[("address", text("0000:41:00.0"))],
        &[("vendor_id", text("8086")), ("address", table(&[("bus", "41")]))],
        &[("vendor_id", text("8086"))],
        &[("vendor_id", text("8086")), ("devname", text("ens1f0"))],
        &[("vendor_id", text("10de")), ("remote_managed", text("yes"))],
        &[("vendor_id", text("10de"))],
    ]);
    assert_eq!(list.unreachable(), [(0, 2), (3, 4)]);
    assert_eq!(list.overlaps(), [(0, 1), (1, 2), (1, 3), (1, 5), (1, 6)]);
}

fn words() -> impl Strategy<Value = Word> {
    let leaf = prop_oneof![
        Just(Word::Null),
        any::<bool>().prop_map(Word::Bool),
        "-?[0-9]{1,6}(\\.[0-9])?".prop_map(|digits| Word::Number(digits.into())),
        ".{0,12}".prop_map(|text| Word::Text(text.into())),
        "[0-9a-fA-F*:. x_+-]{0,16}".prop_map(|text| Word::Text(text.into())),
        r"[\[\](){}?*+|^$.\\0-9a-fiPxs<>=!:,-]{0,16}".prop_map(|text| Word::Text(text.into())),
        Just(Word::List),
    ];
    let parts = prop_oneof![Just("domain"), Just("bus"), Just("slot"), Just("function"), Just("x")];
    let table = prop::collection::vec((parts.prop_map(Into::into), leaf.clone()), 0..5);
    prop_oneof![4 => leaf, 1 => table.prop_map(Word::Table)]
}

fn entries() -> impl Strategy<Value = Vec<(Box<str>, Word)>> {
    let keys = prop_oneof![
        Just("vendor_id".to_owned()),
        Just("product_id".to_owned()),
        Just("address".to_owned()),
        Just("devname".to_owned()),
        Just("remote_managed".to_owned()),
        Just("managed".to_owned()),
        ".{0,10}",
    ];
    prop::collection::vec((keys.prop_map(Into::into), words()), 0..5)
}

/// Specs that are right, of few enough words to meet.
fn plausible() -> impl Strategy<Value = Vec<(Box<str>, Word)>> {
    let id = prop_oneof![Just("*"), Just("8086"), Just("10de")].prop_map(text);
    let address = prop_oneof![
        Just(text("*:41:*.*")),
        Just(text("0000:41:00.0")),
        Just(text("41:00")),
        Just(table(&[("bus", "4")])),
        Just(table(&[("bus", "4[0-3]"), ("function", "0")])),
        Just(table(&[("domain", "0000"), ("bus", "41"), ("slot", "00"), ("function", "0")])),
    ];
    let place = prop_oneof![
        Just(None),
        address.prop_map(|word| Some(("address".into(), word))),
        Just(Some(("devname".into(), text("ens1f0")))),
    ];
    (id, place, any::<bool>()).prop_map(|(vendor, place, remote)| {
        let remote = remote.then(|| ("remote_managed".into(), Word::Bool(true)));
        [Some(("vendor_id".into(), vendor)), place, remote].into_iter().flatten().collect()
    })
}

/// Functions of one card, some without their relatives.
fn card() -> impl Strategy<Value = Vec<Option<Function>>> {
    let serial = |function: Option<Function>, has: bool| {
        function.map(|one| one.with_serial(if has { "MT1" } else { "" }))
    };
    let of = prop::collection::vec((0..5usize, any::<bool>()), 0..6);
    of.prop_map(move |chosen| {
        let all = [pf(), vf(0), vf(1), at("0000:41:00.0"), at("0000:42:00.0")];
        chosen.into_iter().map(|(which, has)| serial(all[which].clone(), has)).collect()
    })
}

fn functions() -> impl Strategy<Value = Option<Function>> {
    let kinds = prop_oneof![Just(Kind::Pci), Just(Kind::Pf), Just(Kind::Vf), Just(Kind::Vdpa)];
    let address = prop_oneof!["[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]", ".{0,14}"];
    (address, "[0-9a-fA-F]{4}|.{0,5}", kinds, ".{0,14}").prop_map(|(address, id, kind, parent)| {
        Some(Function::new(&address, &id, "1889", kind)?.with_parent(&parent))
    })
}

proptest! {
    #[test]
    fn no_words_are_too_odd(entry in entries(), functions in prop::collection::vec(functions(), 0..4)) {
        match Spec::parse(&entry) {
            Ok(_) => {
                let list = Specs::parse([entry.as_slice(), entry.as_slice()]).unwrap();
                prop_assert!(list.find_all(&functions).iter().all(|one| one.is_none_or(|at| at == 0)));
                prop_assert_eq!(list.unreachable(), [(0, 1)]);
            }
            Err(problems) => {
                prop_assert!(problems.iter().all(|one| !one.problem.is_empty()));
                prop_assert!(problems.iter().all(|one| one.problem.len() < 1000));
            }
        }
    }

    /// What covers another spec admits all that it does: the proof of "never reached".
    #[test]
    fn what_is_called_unreachable_is_never_reached(
        first in plausible(), second in plausible(), functions in card()
    ) {
        let list = Specs::parse([first.as_slice(), second.as_slice()]).unwrap();
        if !list.unreachable().is_empty() {
            prop_assert!(list.find_all(&functions).iter().all(|one| *one != Some(1)));
        }
    }

    #[test]
    fn an_address_admits_itself(domain in any::<u32>(), bus in any::<u8>(), slot in 0..32u8, function in 0..8u8) {
        let address = format!("{domain:04x}:{bus:02x}:{slot:02x}.{function}");
        prop_assert_eq!(admitted(text(&address), &[&address]), [address.as_str()]);
        let other = format!("{domain:04x}:{bus:02x}:{slot:02x}.{}", function ^ 1);
        prop_assert!(admitted(text(&address), &[&other]).is_empty());
    }

    #[test]
    fn an_expression_is_asked_of_each_number_as_of_the_text(expression in "[0-9a-f.\\[\\]|^$?*-]{0,6}", bus in any::<u8>()) {
        let Ok(asked) = regex::bytes::Regex::new(&format!("^(?:{expression})")) else { return Ok(()) };
        let address = format!("0000:{bus:02x}:00.0");
        let wanted = asked.is_match(format!("{bus:02x}").as_bytes());
        prop_assert_eq!(!admitted(table(&[("bus", &expression)]), &[&address]).is_empty(), wanted);
    }
}
