use super::*;

fn message(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![b'd'];
    message.extend_from_slice(&(payload.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(payload);
    message
}

/// Feeds a stream of messages in pieces of `step` bytes and gives the payloads and the tally.
fn walk(stream: &[u8], format: CopyFormat, step: usize) -> (Vec<u8>, Tally) {
    let header_bytes = if format == CopyFormat::Binary {
        BINARY_HEADER_BYTES
    } else {
        0
    };
    let mut walk = Walk {
        format,
        header_bytes,
        long: None,
    };
    let (mut buf, mut out, mut tally) = (BytesMut::new(), BytesMut::new(), Tally::default());
    let mut payloads = Vec::new();
    for piece in stream.chunks(step) {
        buf.extend_from_slice(piece);
        loop {
            walk.take(&mut buf, &mut out, &mut tally);
            if out.is_empty() {
                break;
            }
            payloads.extend_from_slice(&out.split());
        }
    }
    assert!(buf.is_empty());
    (payloads, tally)
}

#[test]
fn rows_are_tallied_alike_however_the_socket_cuts_them() {
    let long = vec![b'x'; 3 * READ_AHEAD + 17];
    let rows: [&[u8]; 4] = [b"1\ta\n", b"\n", &long, b"2\tb\n"];
    let stream: Vec<u8> = rows.iter().flat_map(|row| message(row)).collect();
    let mut expected = Tally::default();
    rows.iter().for_each(|row| expected.add_row(row));
    for step in [1, 7, 8192, 100_000, usize::MAX] {
        let (payloads, tally) = walk(&stream, CopyFormat::Text, step);
        assert_eq!(payloads, rows.concat());
        assert_eq!(tally, expected, "step {step}");
    }
}

#[test]
fn a_binary_header_and_trailer_are_passed_on_but_are_no_rows() {
    let header = [&b"PGCOPY\n\xff\r\n\0"[..], &[0; 8]].concat();
    let long = vec![7; 2 * READ_AHEAD];
    for first in [&b"\0\x01\0\0\0\x01a"[..], &long] {
        let with_header = [&header[..], first].concat();
        let rows: [&[u8]; 3] = [&with_header, b"\0\0", &BINARY_TRAILER];
        let stream: Vec<u8> = rows.iter().flat_map(|row| message(row)).collect();
        let mut expected = Tally::default();
        expected.add_row(first);
        expected.add_row(b"\0\0"); // a row of a table without columns
        for step in [1, 1000, usize::MAX] {
            let (payloads, tally) = walk(&stream, CopyFormat::Binary, step);
            assert_eq!(payloads, rows.concat());
            assert_eq!(tally, expected);
        }
    }
    let empty = message(&[&header[..], &BINARY_TRAILER].concat());
    assert_eq!(walk(&empty, CopyFormat::Binary, 4).1, Tally::default());
}
