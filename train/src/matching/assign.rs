//! Who gets what where neither side has room for all: an assignment under capacities and budgets, by auction.
//!
//! The linear programme: choose a share between 0 and 1 of each pair, so that the values of the shares add up to the most,
//! no more than `capacity` shares are a bidder's, and the costs of a campaign's shares stay within its budget. Bidders ask for
//! the pair that leaves them most at current prices and raise its price until the next best would be as good (Bertsekas 1988,
//! "The Auction Algorithm"; capacities as several places: Bertsekas and Castañon 1989); a budget is as many places as the
//! costs that it pays for. Prices never leave what is assigned more than a step worse than the best alternative, so that
//! the total is at most a step for each place below the optimum; the dual bound from the same prices says how far below.

use std::collections::{BinaryHeap, VecDeque};

use rayon::prelude::*;

use super::MatchingError;

/// Steps are this part of the mean of the best values.
const STEP: f64 = 2e-3;
/// The least free share of a place that is bid with, first and then: pieces would become ever smaller otherwise.
const LEAST_BIDS: [f64; 3] = [0.3, 0.1, 0.03];
/// Shares and budgets that are nothing but rounding.
const CRUMB: f64 = 1e-9;

/// A pair that may be assigned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The bidder's number: who has a capacity.
    pub bidder: u32,
    /// The campaign's number: what has a budget.
    pub campaign: u32,
    /// What the whole pair is worth.
    pub value: f64,
    /// How much of the campaign's budget the whole pair takes; 1 where budgets are numbers of places.
    pub cost: f64,
}

/// Pairs under capacities and budgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// The pairs that may be assigned, each at most once.
    pub edges: Vec<Edge>,
    /// How many pairs each bidder takes.
    pub capacities: Vec<u32>,
    /// What each campaign has, in the unit of costs.
    pub budgets: Vec<f64>,
}

/// A pair that is assigned, whole or in part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assigned {
    /// The number of the pair.
    pub edge: usize,
    /// How much of it; above 0 and at most 1.
    pub share: f64,
}

/// An assignment, with what would loosen it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The pairs, in order.
    pub pairs: Vec<Assigned>,
    /// What they are worth together.
    pub value: f64,
    /// At most this is possible at all: the dual value of the prices.
    pub bound: f64,
    /// What another unit of each campaign's budget would be worth.
    pub campaign_prices: Vec<f64>,
    /// What another place of each bidder would be worth.
    pub bidder_prices: Vec<f64>,
}

/// A piece of a campaign's budget that is taken.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// What a unit was bid for.
    price: f64,
    edge: usize,
    share: f64,
    /// Which bid it was, so that of equal ones the oldest goes first.
    turn: u64,
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Piece {}
impl PartialOrd for Piece {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Piece {
    /// The greatest is the cheapest.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.price.total_cmp(&self.price).then(other.turn.cmp(&self.turn))
    }
}

/// A campaign's budget in an auction.
#[derive(Clone, Debug, Default)]
struct Shelf {
    free: f64,
    pieces: BinaryHeap<Piece>,
}

impl Shelf {
    /// What a unit costs now.
    fn price(&self) -> f64 {
        if CRUMB < self.free { 0.0 } else { self.pieces.peek().map_or(f64::INFINITY, |piece| piece.price) }
    }
}

impl Market {
    /// Assigns.
    ///
    /// # Errors
    /// When an edge names nobody, or a value, cost or budget is none.
    pub fn assign(&self) -> Result<Assignment, MatchingError> {
        self.check()?;
        let mut auction = Auction::new(self);
        auction.run();
        Ok(auction.finish())
    }

    fn check(&self) -> Result<(), MatchingError> {
        for (number, edge) in self.edges.iter().enumerate() {
            let sides = [
                ("bidder", edge.bidder, self.capacities.len()),
                ("campaign", edge.campaign, self.budgets.len()),
            ];
            for (what, number, size) in sides {
                if size <= number as usize {
                    return Err(MatchingError::Unknown { what, number, size });
                }
            }
            if !edge.value.is_finite() {
                return Err(MatchingError::Value { row: number, value: edge.value });
            }
            if !(edge.cost.is_finite() && 0.0 < edge.cost) {
                let allowed = "finite and above 0";
                return Err(MatchingError::Setting {
                    what: "the cost of edge",
                    number,
                    value: edge.cost,
                    allowed,
                });
            }
        }
        match self.budgets.iter().position(|it| !(it.is_finite() && 0.0 <= *it)) {
            Some(number) => Err(MatchingError::Setting {
                what: "budget",
                number,
                value: self.budgets[number],
                allowed: "finite and at least 0",
            }),
            None => Ok(()),
        }
    }
}

/// An auction under way.
struct Auction<'a> {
    market: &'a Market,
    /// Each bidder's edges that are worth something.
    of_bidder: Vec<Vec<u32>>,
    shelves: Vec<Shelf>,
    prices: Vec<f64>,
    /// What is held of each edge.
    held: Vec<f64>,
    /// How many places of each bidder are free.
    free: Vec<f64>,
    /// Bidders who may have free places, each at most once.
    waiting: VecDeque<u32>,
    is_waiting: Vec<bool>,
    step: f64,
    turn: u64,
}

impl<'a> Auction<'a> {
    fn new(market: &'a Market) -> Self {
        let mut of_bidder = vec![Vec::new(); market.capacities.len()];
        let worth = market.edges.iter().enumerate().filter(|(_, edge)| 0.0 < edge.value);
        worth.for_each(|(at, edge)| of_bidder[edge.bidder as usize].push(at as u32));
        let best =
            |edges: &Vec<u32>| edges.iter().map(|at| market.edges[*at as usize].value).fold(0.0, f64::max);
        let total: f64 = of_bidder.iter().map(best).sum();
        let bidding = of_bidder.iter().filter(|edges| !edges.is_empty()).count().max(1);
        let free = |(bidder, edges): (usize, &Vec<u32>)| {
            f64::from(market.capacities[bidder]).min(edges.len() as f64)
        };
        let shelf = |budget: &f64| Shelf { free: *budget, pieces: BinaryHeap::new() };
        let shelves: Vec<Shelf> = market.budgets.iter().map(shelf).collect();
        Self {
            free: of_bidder.iter().enumerate().map(free).collect(),
            waiting: VecDeque::new(),
            is_waiting: vec![false; of_bidder.len()],
            of_bidder,
            prices: shelves.iter().map(Shelf::price).collect(),
            shelves,
            held: vec![0.0; market.edges.len()],
            step: STEP * total / bidding as f64,
            turn: 0,
            market,
        }
    }

    fn run(&mut self) {
        for least in LEAST_BIDS {
            (0..self.free.len()).for_each(|bidder| self.wait(bidder as u32, least));
            while let Some(bidder) = self.waiting.pop_front() {
                self.is_waiting[bidder as usize] = false;
                while least <= self.free[bidder as usize] && self.bid(bidder, least) {}
            }
        }
    }

    /// Lines a bidder up who has enough to bid with.
    fn wait(&mut self, bidder: u32, least: f64) {
        let at = bidder as usize;
        if least <= self.free[at] && !self.is_waiting[at] {
            self.is_waiting[at] = true;
            self.waiting.push_back(bidder);
        }
    }

    /// What an edge leaves its bidder at the campaign's price.
    fn leaves(&self, edge: usize) -> f64 {
        let it = &self.market.edges[edge];
        it.value - it.cost * self.prices[it.campaign as usize]
    }

    /// One bid for at most one place; false if there is nothing that is worth its price.
    fn bid(&mut self, bidder: u32, least: f64) -> bool {
        let (mut best, mut first, mut second) = (None, 0.0, 0.0);
        for edge in self.of_bidder[bidder as usize].iter().map(|edge| *edge as usize) {
            if 1.0 - CRUMB < self.held[edge] {
                continue;
            }
            let leaves = self.leaves(edge);
            if first < leaves {
                (second, first, best) = (first, leaves, Some(edge));
            } else if second < leaves {
                second = leaves;
            }
        }
        let Some(edge) = best else { return false };
        let Edge { campaign, cost, .. } = self.market.edges[edge];
        let campaign = campaign as usize;
        let price = self.prices[campaign] + (first - second + self.step) / cost;
        let asked = self.free[bidder as usize].min(1.0 - self.held[edge]);
        self.free[bidder as usize] -= self.take(campaign, edge, (asked, price), least);
        true
    }

    /// Gives a campaign's budget to an edge, first what is free and then the pieces that are as cheap as its price.
    fn take(&mut self, campaign: usize, edge: usize, (asked, price): (f64, f64), least: f64) -> f64 {
        let cost = self.market.edges[edge].cost;
        let wanted = asked * cost;
        let mut room = wanted.min(self.shelves[campaign].free);
        if self.shelves[campaign].free <= CRUMB {
            room = 0.0;
        }
        self.shelves[campaign].free -= room;
        while CRUMB * cost < wanted - room {
            let Some(mut piece) = self.shelves[campaign].pieces.peek().copied().filter(|it| it.price < price)
            else {
                break;
            };
            self.shelves[campaign].pieces.pop();
            let other = self.market.edges[piece.edge];
            let lost = ((wanted - room) / other.cost).min(piece.share);
            room += lost * other.cost;
            piece.share -= lost;
            self.held[piece.edge] -= lost;
            self.free[other.bidder as usize] += lost;
            self.wait(other.bidder, least);
            if CRUMB < piece.share {
                self.shelves[campaign].pieces.push(piece);
                break;
            }
            // Only what was asked at the price seen: the next piece may cost more.
            if self.prices[campaign]
                < self.shelves[campaign].pieces.peek().map_or(f64::INFINITY, |it| it.price)
            {
                break;
            }
        }
        let share = room / cost;
        if 0.0 < share {
            self.turn += 1;
            self.held[edge] += share;
            self.shelves[campaign].pieces.push(Piece { price, edge, share, turn: self.turn });
        }
        self.prices[campaign] = self.shelves[campaign].price();
        share
    }

    fn finish(self) -> Assignment {
        let market = self.market;
        let pairs: Vec<Assigned> = self
            .held
            .iter()
            .enumerate()
            .filter(|(_, share)| CRUMB < **share)
            .map(|(edge, share)| Assigned { edge, share: share.min(1.0) })
            .collect();
        let value = pairs.iter().map(|pair| pair.share * market.edges[pair.edge].value).sum();
        // Nobody can buy of a campaign without budget at a price that is as high as its best pair is worth.
        let without = |at: usize| market.budgets[at] <= CRUMB;
        let mut campaign_prices: Vec<f64> = self
            .prices
            .iter()
            .enumerate()
            .map(|(at, price)| if without(at) { 0.0 } else { *price })
            .collect();
        for edge in market.edges.iter().filter(|edge| without(edge.campaign as usize)) {
            let price = &mut campaign_prices[edge.campaign as usize];
            *price = price.max(edge.value / edge.cost);
        }
        let left = |(bidder, edges): (usize, &Vec<u32>)| {
            let of = |edge: &u32| {
                let edge = &market.edges[*edge as usize];
                edge.value - edge.cost * campaign_prices[edge.campaign as usize]
            };
            let mut leaves: Vec<f64> = edges.iter().map(of).filter(|it| 0.0 < *it).collect();
            leaves.sort_by(|a, b| b.total_cmp(a));
            let places = market.capacities[bidder] as usize;
            let price = leaves.get(places).copied().unwrap_or(0.0);
            let above: f64 = leaves.iter().take(places).map(|it| it - price).sum();
            (price, places as f64 * price + above)
        };
        let bidders: Vec<(f64, f64)> = self.of_bidder.par_iter().enumerate().map(left).collect();
        let paid: f64 =
            campaign_prices.iter().zip(&market.budgets).map(|(price, budget)| price * budget).sum();
        Assignment {
            pairs,
            value,
            bound: paid + bidders.iter().map(|(_, bound)| bound).sum::<f64>(),
            campaign_prices,
            bidder_prices: bidders.iter().map(|(price, _)| *price).collect(),
        }
    }
}
