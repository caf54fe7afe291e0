//! Makes a screenshot small: the same picture with a palette in the place of three bytes a pixel (PNG, 3rd edition).

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The picture, with its colours listed once. Where there are more than 256, the last bits of each are left out until
/// there are not: nobody sees that on the edges of letters.
pub fn smaller(png: &[u8]) -> Vec<u8> {
    let (width, height, pixels) = decode(png);
    for bits in 0..8 {
        // The middle of what falls together, but black and white stay what they are.
        let mask = 0xffu8 << bits;
        let round = |part: u8| if part >= mask { 0xff } else { part & mask };
        let colours: BTreeMap<[u8; 3], usize> = pixels.iter().map(|pixel| (pixel.map(round), 0)).collect();
        if colours.len() <= 256 {
            let palette: BTreeMap<[u8; 3], u8> = colours.into_keys().zip(0..=255u8).collect();
            let places = pixels.iter().map(|pixel| palette[&pixel.map(round)]);
            return encode(width, height, &palette, places);
        }
    }
    unreachable!("eight bits less leave one colour");
}

/// Width, height and pixels of an 8 bit RGB or RGBA picture without interlacing: what browsers write.
fn decode(png: &[u8]) -> (usize, usize, Vec<[u8; 3]>) {
    let mut rest = png.strip_prefix(SIGNATURE).expect("a PNG");
    let (mut head, mut data) = (Vec::new(), Vec::new());
    while rest.len() >= 12 {
        let length = number(&rest[..4]);
        let (kind, body) = (&rest[4..8], &rest[8..8 + length]);
        match kind {
            b"IHDR" => head = body.to_vec(),
            b"IDAT" => data.extend_from_slice(body),
            _ => {}
        }
        rest = &rest[12 + length..];
    }
    let (width, height) = (number(&head[..4]), number(&head[4..8]));
    assert_eq!((head[8], head[12]), (8, 0), "8 bits, not interlaced");
    let depth = match head[9] {
        2 => 3,
        6 => 4,
        other => panic!("colour type {other}"),
    };
    let mut raw = Vec::new();
    ZlibDecoder::new(&data[..]).read_to_end(&mut raw).unwrap();
    let stride = width * depth;
    let mut before = vec![0u8; stride];
    let mut pixels = Vec::with_capacity(width * height);
    for line in raw.chunks_exact(stride + 1) {
        let (filter, line) = (line[0], &line[1..]);
        let mut row = vec![0u8; stride];
        for at in 0..stride {
            let left = if at >= depth { row[at - depth] } else { 0 };
            let corner = if at >= depth { before[at - depth] } else { 0 };
            let above = before[at];
            let guess = match filter {
                0 => 0,
                1 => left,
                2 => above,
                3 => u8::try_from((u16::from(left) + u16::from(above)) / 2).unwrap(),
                4 => paeth(left, above, corner),
                other => panic!("filter {other}"),
            };
            row[at] = line[at].wrapping_add(guess);
        }
        pixels.extend(row.chunks_exact(depth).map(|pixel| [pixel[0], pixel[1], pixel[2]]));
        before = row;
    }
    assert_eq!(pixels.len(), width * height);
    (width, height, pixels)
}

/// The neighbour that is nearest to where the three of them lead (9.4).
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i32::from);
    let to = a + b - c;
    let (pa, pb, pc) = ((to - a).abs(), (to - b).abs(), (to - c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        above
    } else {
        corner
    }
}

fn encode(width: usize, height: usize, palette: &BTreeMap<[u8; 3], u8>, places: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut raw = Vec::with_capacity((width + 1) * height);
    for (at, place) in places.enumerate() {
        if at % width == 0 {
            raw.push(0);
        }
        raw.push(place);
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&raw).unwrap();
    let mut head = Vec::new();
    for number in [width, height] {
        head.extend(u32::try_from(number).unwrap().to_be_bytes());
    }
    head.extend([8, 3, 0, 0, 0]);
    let colours: Vec<u8> = palette.keys().flatten().copied().collect();
    let mut out = SIGNATURE.to_vec();
    for (kind, body) in
        [(b"IHDR", head), (b"PLTE", colours), (b"IDAT", packed.finish().unwrap()), (b"IEND", Vec::new())]
    {
        out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(&body);
        out.extend(kind);
        out.extend(&body);
        out.extend(sum.sum().to_be_bytes());
    }
    out
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}
