//! Why guest cells do not fit, cell by cell.

use crate::amounts::Resource;
use crate::fit::cells::board::Board;
use crate::fit::cells::lack::Lack;
use crate::fit::cells::matching::Matching;
use crate::fit::cells::{nearest, seat_as_asked, view::View};
use crate::fit::shortage::Shortage;
use crate::fit::steps::Steps;
use crate::fit::{Room, amounts};
use crate::misfit::{CellMisfit, Misfit, MisfitCode, NoFit};
use crate::request::Request;
use crate::topology::{GuestTopology, Networks};

/// Every constraint that fails, and the nearest request that fits.
pub(in crate::fit) fn explain(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    steps: &mut Steps,
) -> NoFit {
    let board = Board::of(room, request, topology, steps);
    let mut reasons = amounts::misfits(room, request);
    reasons.extend(of_cells(&board, steps));
    let mut near = request.clone();
    near.move_to_cells(board.candidates().filter_map(|host| board.cell_id(host)));
    let devices = Shortage::of(room, &near, steps);
    reasons.extend(devices.misfits);
    if reasons.is_empty() {
        reasons = of_the_whole(room, request, topology, steps);
    }
    NoFit { reasons, nearest: nearest::of(room, request, topology, steps) }
}

fn of_cells(board: &Board<'_>, steps: &mut Steps) -> Vec<Misfit> {
    let (guests, hosts) = (board.guests(), board.hosts());
    if guests > hosts {
        return vec![too_few(guests, hosts)];
    }
    let mut told: Vec<usize> = Vec::new();
    let mut misfits = Vec::new();
    for guest in 0..guests {
        let Some(lacks) = board.lacks_of(guest) else { continue };
        let alike = told.iter().any(|it| board.alike(*it, guest));
        if !alike {
            told.push(guest);
            misfits.push(nowhere(board, guest, &lacks));
        }
    }
    match Matching::full(board, steps) {
        Err(competing) if misfits.is_empty() => vec![compete(board, &competing)],
        _ => misfits,
    }
}

fn misfit(code: MisfitCode, message: String, asked: u64, free: u64) -> Misfit {
    Misfit::new(code, "cells", message, asked, free)
}

/// A guest cell that gets no more on the host cell that it is on; none if that is gone.
pub(super) fn misfit_in_place(guest: usize, lack: &Lack, view: Option<&View<'_>>) -> Misfit {
    let Lack { code, asked, free } = *lack;
    let misfit = |message, capacity: u64| Misfit {
        guest_cell: Some(amount(guest)),
        cells: view.map(|view| told(guest, view, lack)).into_iter().collect(),
        capacity,
        used: capacity.saturating_sub(free),
        ..misfit(code, message, asked, free)
    };
    let Some(view) = view else {
        let message = format!("guest cell {guest} is on a cell that this host lost");
        return misfit(message, 0);
    };
    let message = format!(
        "guest cell {guest} stays on cell {}, and {}",
        view.cell.id,
        more(code, asked, free)
    );
    misfit(message, capacity(code, view))
}

/// What is asked for beside what stays, and what is free of it.
fn more(code: MisfitCode, asked: u64, free: u64) -> String {
    match code {
        MisfitCode::InsufficientDedicatedCpus | MisfitCode::InsufficientL3 => {
            format!("asks there for {} more; {free} would do", wanted(code, asked))
        }
        MisfitCode::UnevenPages => {
            format!("{asked} MiB are no whole number of the pages that it has")
        }
        _ => format!("asks there for {}; {free}{} would do", wanted(code, asked), unit(code)),
    }
}

fn too_few(guests: usize, hosts: usize) -> Misfit {
    let message = format!(
        "asked for {guests} guest cells, each on a cell of its own; this host has {}",
        counted(amount(hosts), "cell")
    );
    misfit(MisfitCode::InsufficientCells, message, amount(guests), amount(hosts))
}

/// One guest cell for which no host cell has room.
fn nowhere(board: &Board<'_>, guest: usize, lacks: &[Lack]) -> Misfit {
    let lack_at = |host: &usize| lacks.get(*host).map(|lack| (rank(lack.code), lack.free));
    let nearest = (0..lacks.len()).rev().max_by_key(lack_at).unwrap_or(0);
    let Some((lack, view)) = lacks.get(nearest).zip(board.views.get(nearest)) else {
        return too_few(1, 0);
    };
    let message = format!("guest cell {guest} {}", words(lack, view, &others_of(lack.code, lacks)));
    let told = lacks.iter().zip(&board.views).map(|(lack, view)| told(guest, view, lack));
    let capacity = capacity(lack.code, view);
    Misfit {
        guest_cell: Some(amount(guest)),
        cells: told.collect(),
        capacity,
        used: capacity.saturating_sub(lack.free),
        ..misfit(lack.code, message, lack.asked, lack.free)
    }
}

/// How far a pair got before it failed.
fn rank(code: MisfitCode) -> usize {
    const ORDER: [MisfitCode; 9] = [
        MisfitCode::CellCordoned,
        MisfitCode::UnknownPageSize,
        MisfitCode::UnevenPages,
        MisfitCode::InsufficientPages,
        MisfitCode::InsufficientMemory,
        MisfitCode::InsufficientDedicatedCpus,
        MisfitCode::InsufficientVcpus,
        MisfitCode::InsufficientCores,
        MisfitCode::InsufficientL3,
    ];
    ORDER.iter().position(|it| *it == code).unwrap_or(0)
}

/// The host cells that got as far, in words: the others are short of something that comes first.
fn others_of(code: MisfitCode, lacks: &[Lack]) -> String {
    let alike = lacks.iter().filter(|lack| lack.code == code).count();
    let cells = counted(amount(alike), "cell");
    let memory = [MisfitCode::InsufficientPages, MisfitCode::InsufficientMemory].contains(&code);
    match (alike == lacks.len(), memory) {
        (true, _) => cells,
        (_, true) => format!("{cells} that could give it"),
        _ => format!("{cells} with enough memory"),
    }
}

fn words(lack: &Lack, view: &View<'_>, others: &str) -> String {
    let Lack { code, asked, free } = *lack;
    let cell = view.cell.id;
    let most = |unit| match free {
        0 => format!("none of {others} has any free"),
        _ => format!("the most of {others} is {free}{unit}, on cell {cell}"),
    };
    match code {
        MisfitCode::CellCordoned => {
            let reason = view.cell.cordoned.as_deref().unwrap_or_default();
            format!("finds no cell: cell {cell} is cordoned: {reason}")
        }
        MisfitCode::UnknownPageSize => {
            let sizes = view.cell.pages.iter().map(|page| page.size_kib.to_string());
            let sizes = sizes.collect::<Vec<_>>().join(", ");
            format!(
                "asks for pages of a size that no cell has; cell {cell} has pages of {sizes} KiB"
            )
        }
        MisfitCode::UnevenPages => {
            format!("asks for {asked} MiB, which is no whole number of pages")
        }
        _ => format!("asks for {}; {}", wanted(code, asked), most(unit(code))),
    }
}

/// So much of what is short, in words.
fn wanted(code: MisfitCode, asked: u64) -> String {
    match code {
        MisfitCode::InsufficientPages => format!("{asked} MiB in pages of one size"),
        MisfitCode::InsufficientMemory => format!("{asked} MiB of ordinary memory"),
        MisfitCode::InsufficientDedicatedCpus => counted(asked, "dedicated CPU"),
        MisfitCode::InsufficientVcpus => counted(asked, "shared vCPU"),
        MisfitCode::InsufficientCores => {
            format!("{} on cores as its thread policy wants them", counted(asked, "vCPU"))
        }
        MisfitCode::InsufficientL3 => {
            format!("{} of one L3 cache", counted(asked, "dedicated CPU"))
        }
        _ => asked.to_string(),
    }
}

fn unit(code: MisfitCode) -> &'static str {
    match code {
        MisfitCode::InsufficientPages | MisfitCode::InsufficientMemory => " MiB",
        _ => "",
    }
}

fn capacity(code: MisfitCode, view: &View<'_>) -> u64 {
    match code {
        MisfitCode::InsufficientDedicatedCpus
        | MisfitCode::InsufficientCores
        | MisfitCode::InsufficientL3 => view.cell.dedicated_count(),
        MisfitCode::InsufficientVcpus => view.cell.shared_count(),
        MisfitCode::InsufficientPages | MisfitCode::InsufficientMemory => view.cell.memory_mib,
        _ => 0,
    }
}

fn compete(board: &Board<'_>, competing: &[usize]) -> Misfit {
    let wanted = |host: &usize| competing.iter().any(|guest| board.pair(*guest, *host).is_some());
    let hosts: Vec<usize> = (0..board.hosts()).filter(wanted).collect();
    let cells: Vec<String> =
        hosts.iter().filter_map(|host| board.cell_id(*host)).map(|id| id.to_string()).collect();
    let guests: Vec<String> = competing.iter().map(ToString::to_string).collect();
    let message = format!(
        "guest cells {} each fit only on {} {}: too few for all of them",
        guests.join(", "),
        if cells.len() == 1 { "cell" } else { "cells" },
        cells.join(", ")
    );
    let asked = amount(competing.len());
    let misfit = misfit(MisfitCode::CellsCompete, message, asked, amount(hosts.len()));
    Misfit { cells: kept_off(board, competing), ..misfit }
}

/// Why guest cells that fit somewhere do not fit on the other host cells; of those alike the first.
fn kept_off(board: &Board<'_>, guests: &[usize]) -> Vec<CellMisfit> {
    let is_first = |guest: &&usize| {
        !guests.iter().take_while(|it| it < guest).any(|it| board.alike(*it, **guest))
    };
    let told = guests.iter().filter(is_first).flat_map(|guest| {
        board.views.iter().enumerate().filter_map(|(host, view)| {
            let lack = board.verdict(*guest, host)?.as_ref().err()?;
            Some(told(*guest, view, lack))
        })
    });
    told.collect()
}

fn told(guest: usize, view: &View<'_>, lack: &Lack) -> CellMisfit {
    CellMisfit {
        guest_cell: amount(guest),
        cell: view.cell.id,
        code: lack.code,
        asked: lack.asked,
        free: lack.free,
    }
}

/// The cells fit by themselves, and so do the devices.
fn of_the_whole(
    room: Room<'_>,
    request: &Request,
    topology: &GuestTopology,
    steps: &mut Steps,
) -> Vec<Misfit> {
    let mut fits = |request: &Request| {
        *steps = steps.renewed();
        matches!(seat_as_asked(room, request, topology, steps), Ok(Some(_)))
    };
    let anywhere = request.clone().close_to(Networks::default());
    if !fits(&anywhere.without_devices()) {
        return vec![ordinary_memory(room, request, topology)];
    }
    let (networks_are_near, devices_are_near) = (fits(&request.without_devices()), fits(&anywhere));
    let mut misfits = Vec::new();
    if !networks_are_near || devices_are_near {
        misfits.push(far_from_networks(request, topology));
    }
    if !devices_are_near {
        misfits.push(far_from_devices(topology));
    }
    misfits
}

/// Either no cells that fit are close to them, or none that are near the devices, too.
fn far_from_networks(request: &Request, topology: &GuestTopology) -> Misfit {
    let names: Vec<&str> = request.networks().physnets.iter().map(AsRef::as_ref).collect();
    let tunnel = if request.networks().tunneled { " and the tunnel network" } else { "" };
    let names = names.join(", ");
    let message = format!("no cells that fit are close to the networks {names}{tunnel}");
    misfit(MisfitCode::CellsFarFromNetworks, message, amount(topology.cells.len()), 0)
}

fn far_from_devices(topology: &GuestTopology) -> Misfit {
    let message = "the cells fit and so do the devices, but not on cells that are near enough";
    let asked = amount(topology.cells.len());
    misfit(MisfitCode::CellsFarFromDevices, message.to_owned(), asked, 0)
}

fn ordinary_memory(room: Room<'_>, request: &Request, topology: &GuestTopology) -> Misfit {
    let free = amounts::free(room, request, &Resource::MemoryMib);
    let asked = topology.memory_mib();
    let message = format!(
        "asked for {asked} MiB of memory; {free} MiB of ordinary memory are free on this host"
    );
    Misfit {
        resource: "memory_mib".to_owned(),
        ..misfit(MisfitCode::InsufficientMemory, message, asked, free)
    }
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn amount(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
