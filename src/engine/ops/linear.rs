//! Linear layers: projections, feed-forward blocks and the output head.

use crate::engine::cost::Cost;
use crate::units::{Bytes, Flops};

/// Work of a matrix product of `tokens` rows with `weights` elements of `bytes_per_weight` each:
/// 2 FLOP per weight and token, every weight read once. Activations are counted in [`crate::engine::ops::activations`].
pub fn linear(weights: f64, bytes_per_weight: f64, tokens: f64) -> Cost {
    Cost { flops: Flops::new(2.0 * weights * tokens), bytes: Bytes::new(weights * bytes_per_weight) }
}

/// Rows of the tile in which tensor cores process a matrix product.
pub const TILE_ROWS: f64 = 128.0;

/// Rows that padding adds to any product: half a tile, the mean over batch sizes and over the kernels of a layer.
/// Freed in a fit to static batches of seven GPUs it comes back as 71.
pub const PADDING_ROWS: f64 = TILE_ROWS / 2.0;

/// Whether a decode batch lies where whole tiles show: above one tile, below eight (there padding is under 12 %).
pub fn is_tiled(rows: f64) -> bool {
    rows > TILE_ROWS && rows < 8.0 * TILE_ROWS
}

/// Rows whose arithmetic a decode batch of `rows` costs: half a tile more, and in the tiled range at least whole tiles,
/// so that a batch of 129 costs 256.
///
/// Measured: between 100 and 150 clients ITL of both shipped scenarios rises by twice the slope on either side.
pub fn decode_rows(rows: f64) -> f64 {
    let padded = rows + PADDING_ROWS;
    if is_tiled(rows) { padded.max((rows / TILE_ROWS).ceil() * TILE_ROWS) } else { padded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiply_add_is_two_flop_and_a_weight_is_read_once() {
        let cost = linear(10.0, 0.5, 3.0);
        assert_eq!((cost.flops.get(), cost.bytes.get()), (60.0, 5.0));
    }

    #[test]
    fn rows_are_padded_by_half_a_tile_and_to_whole_tiles_between_one_and_eight() {
        for (rows, padded) in [
            (1.0, 65.0),
            (128.0, 192.0),
            (128.5, 256.0),
            (250.0, 314.0),
            (257.0, 384.0),
            (1023.0, 1087.0),
            (2000.0, 2064.0),
        ] {
            assert_eq!(decode_rows(rows), padded);
        }
    }
}
