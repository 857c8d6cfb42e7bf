//! The engine's thread: passes over whatever is asked.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::kept::Kept;
use super::queue::{Next, Order, Shared};
use super::{Limits, Told};
use crate::adapter::Adapter;
use crate::arch::decoder::Decoder;
use crate::generate::{Asked, Passes, Slot, Turn};
use crate::ops::in_pool;
use crate::pictures::Album;

/// Answers until there is nothing more to come.
pub(super) fn work(mut model: Decoder, adapters: &[Adapter], limits: Limits, shared: &Shared) {
    let _ending = Ending(shared);
    // Answers under way; and prompts of which a part has been read, in their order.
    let (mut running, mut begun): (Vec<Slot<Order>>, VecDeque<Slot<Order>>) = (Vec::new(), VecDeque::new());
    let mut kept = Kept::new(model.config().head_dim);
    // What experts and pictures take of a token hangs on the others that are read with it.
    let keeps = model.config().vision.as_ref().is_none_or(|vision| vision.experts.is_none());
    loop {
        let now = taken(&running, &begun);
        shared.count(|figures| {
            (figures.running, figures.cache_bytes) = now;
            figures.kept_bytes = kept.bytes();
        });
        let Next::Read(orders) = shared.next(now, &limits) else { return };
        // What is under way, and what begins, comes before what is kept.
        let begin: usize = orders.iter().map(|order| order.bytes).sum();
        kept.shrink(limits.cache_bytes.saturating_sub(now.1 + begin));
        let mut fresh = Vec::new();
        if let Some(slot) = begun.pop_front() {
            let passes = Passes { model: &model, adapters };
            match read_on(&passes, slot, limits.piece, shared) {
                Some(slot) if slot.of.ids.is_empty() => fresh.push(slot),
                more => more.into_iter().for_each(|slot| begun.push_front(slot)),
            }
        }
        let (orders, known) = match keeps {
            true => split(&mut kept, orders, &Passes { model: &model, adapters }),
            false => (orders, Vec::new()),
        };
        shared.count(|figures| figures.reused_tokens += known.iter().map(Slot::asked).sum::<usize>() as u64);
        begun.extend(known);
        if !orders.is_empty() {
            let read = read(&mut model, adapters, orders, limits.piece, shared);
            let (whole, part): (Vec<_>, Vec<_>) = read.into_iter().partition(|slot| slot.of.ids.is_empty());
            fresh.extend(whole);
            begun.extend(part);
        }
        let mut over = tell(&mut fresh, shared);
        running.extend(fresh);
        // Answers of one adapter lie side by side; among them, those that were begun first.
        running.sort_by_key(|slot| slot.adapter);
        let left: Vec<_> = running.extract_if(.., |slot| slot.of.is_left()).collect();
        let before = begun.len();
        begun.retain(|slot| !slot.of.is_left());
        let cancelled = left.len() + before - begun.len();
        shared.count(|figures| figures.cancelled += cancelled as u64);
        over.extend(left);
        if !running.is_empty() {
            let passes = Passes { model: &model, adapters };
            match in_pool(|| passes.step(&mut running)) {
                Ok(()) => over.extend(tell(&mut running, shared)),
                Err(e) => fail(running.drain(..).map(|slot| slot.of), &e.to_string(), shared),
            }
            shared.count(|figures| figures.steps += 1);
        }
        if keeps {
            let room = limits.cache_bytes.saturating_sub(taken(&running, &begun).1);
            over.into_iter().for_each(|slot| kept.keep(slot, room));
        }
    }
}

/// Takes those out of `orders` whose prompts begin with what has been read before; they are to be read on from there.
fn split(kept: &mut Kept, orders: Vec<Order>, passes: &Passes<'_>) -> (Vec<Order>, Vec<Slot<Order>>) {
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for mut order in orders {
        let asked = order.ids.len();
        let room = asked + passes.most(asked, &order.config);
        let found = match order.pictures {
            None => kept.find(&order.ids, order.adapter, room),
            Some(_) => None,
        };
        let Some((read, layers)) = found else {
            new.push(order);
            continue;
        };
        order.reused.store(read, Ordering::Relaxed);
        let rest = order.ids.split_off(read);
        let ids = std::mem::replace(&mut order.ids, rest);
        let (adapter, config) = (order.adapter, order.config.clone());
        let asked = Asked { of: order, ids: &ids, later: asked - read, adapter, config };
        known.push(passes.resume(asked, layers));
    }
    (new, known)
}

/// How many answers there are, and the bytes of their caches.
fn taken(running: &[Slot<Order>], begun: &VecDeque<Slot<Order>>) -> (usize, usize) {
    let bytes = running.iter().chain(begun).map(|slot| slot.of.bytes).sum();
    (running.len() + begun.len(), bytes)
}

/// Reads a piece more of a prompt.
fn read_on(passes: &Passes<'_>, mut slot: Slot<Order>, piece: usize, shared: &Shared) -> Option<Slot<Order>> {
    let rest = slot.of.ids.split_off(piece.min(slot.of.ids.len()));
    let ids = std::mem::replace(&mut slot.of.ids, rest);
    match in_pool(|| passes.extend(&mut slot, &ids)) {
        Ok(()) => {
            shared.count(|figures| figures.prompt_tokens += ids.len() as u64);
            Some(slot)
        }
        Err(e) => {
            fail(std::iter::once(slot.of), &e.to_string(), shared);
            None
        }
    }
}

/// However the thread ends, by a fault too: those who still wait hear that nothing comes.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.halt();
    }
}

/// Begins answers; those that cannot be begun are told so.
fn read(
    model: &mut Decoder,
    adapters: &[Adapter],
    mut orders: Vec<Order>,
    piece: usize,
    shared: &Shared,
) -> Vec<Slot<Order>> {
    let pictures: Option<Album> = orders.iter_mut().find_map(|order| order.pictures.take());
    if let Some(pictures) = &pictures {
        model.show(pictures);
    }
    // Rows of one adapter lie side by side.
    orders.sort_by_key(|order| order.adapter);
    // A long prompt is the only one. Experts and pictures want the whole of it.
    let experts = model.config().vision.as_ref().is_some_and(|vision| vision.experts.is_some());
    let piece = if experts || pictures.is_some() { usize::MAX } else { piece };
    let first = |order: &mut Order| {
        let rest = order.ids.split_off(piece.min(order.ids.len()));
        std::mem::replace(&mut order.ids, rest)
    };
    let ids: Vec<Vec<u32>> = orders.iter_mut().map(first).collect();
    let asked = |(order, ids): (&Order, _)| {
        let later = order.ids.len();
        Asked { of: (), ids, later, adapter: order.adapter, config: order.config.clone() }
    };
    let asked: Vec<Asked<'_, ()>> = orders.iter().zip(ids.iter().map(Vec::as_slice)).map(asked).collect();
    let passes = Passes { model, adapters };
    let slots = in_pool(|| passes.read(asked));
    if pictures.is_some() {
        // What has been read is in the caches.
        model.show(&Album::empty());
    }
    match slots {
        Ok(slots) => {
            let tokens = ids.iter().map(Vec::len).sum::<usize>() as u64;
            shared.count(|figures| figures.prompt_tokens += tokens);
            slots.into_iter().zip(orders).map(|(slot, of)| slot.made_for(of)).collect()
        }
        Err(e) => {
            fail(orders.into_iter(), &e.to_string(), shared);
            Vec::new()
        }
    }
}

/// Tells what a pass has brought, and takes those out that are finished or that nobody listens to.
fn tell(slots: &mut Vec<Slot<Order>>, shared: &Shared) -> Vec<Slot<Order>> {
    let (mut tokens, mut finished, mut cancelled) = (0, 0, 0);
    let over = |slot: &mut Slot<Order>| {
        let Turn { token, end } = slot.turn();
        let told = token.map(Told::Token).into_iter().chain(end.map(|stopped| Told::Done { stopped }));
        let heard = told.map(|told| slot.of.tell.send(told)).all(|sent| sent.is_ok());
        tokens += u64::from(token.is_some());
        match (heard, end) {
            (false, _) => cancelled += 1,
            (true, Some(_)) => finished += 1,
            (true, None) => {}
        }
        !heard || end.is_some()
    };
    let over = slots.extract_if(.., over).collect();
    shared.count(|figures| {
        figures.answer_tokens += tokens;
        figures.finished += finished;
        figures.cancelled += cancelled;
    });
    over
}

fn fail(orders: impl Iterator<Item = Order>, why: &str, shared: &Shared) {
    let mut failed = 0;
    for order in orders {
        failed += 1;
        // Whoever has left does not hear it.
        let _ = order.tell.send(Told::Failed(why.to_owned()));
    }
    shared.count(|figures| figures.failed += failed);
}
