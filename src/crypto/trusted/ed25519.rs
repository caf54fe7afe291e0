//! Keys of Ed25519 that are none: the library takes any 32 bytes.

/// The encodings of y of the eight points whose order divides 8, least significant byte first. Who has such a key for a
/// public one needs no private one: a signature holds for one message in eight, or for all.
const SMALL_ORDER: [[u8; 32]; 5] = [
    // 0, of order 4.
    [0; 32],
    // 1, the neutral element.
    with(0, 1, 0),
    // Two of order 8.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    // p - 1, of order 2.
    with(0xff, 0xec, 0x7f),
];

const fn with(middle: u8, first: u8, last: u8) -> [u8; 32] {
    let mut out = [middle; 32];
    out[0] = first;
    out[31] = last;
    out
}

/// Whether anybody can sign for the key, or it writes its y in a second way, which is to be refused (RFC 8032, 5.1.3).
pub(super) fn is_degenerate(key: &[u8]) -> bool {
    let [rest @ .., last] = key else { return true };
    // The topmost bit is the sign of x.
    let last = last & 0x7f;
    let second_way =
        matches!(rest, [0xed..=0xff, middle @ ..] if last == 0x7f && middle.iter().all(|byte| *byte == 0xff));
    second_way || SMALL_ORDER.iter().any(|[y @ .., top]| rest == y && last == *top)
}
