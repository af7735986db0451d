use super::*;

/// A value as the text protocol sends it.
fn value(bytes: &[u8]) -> Vec<u8> {
    let mut value = match bytes.len() {
        n @ ..=250 => vec![n as u8],
        n @ ..=0xffff => [&[0xfc][..], &(n as u16).to_le_bytes()].concat(),
        n @ ..=0xff_ffff => [&[0xfd][..], &(n as u32).to_le_bytes()[..3]].concat(),
        n => [&[0xfe][..], &(n as u64).to_le_bytes()].concat(),
    };
    value.extend_from_slice(bytes);
    value
}

/// A message as packets.
fn packets(payload: &[u8]) -> Vec<u8> {
    let mut packets = Vec::new();
    let mut rest = payload;
    loop {
        let (part, next) = rest.split_at(rest.len().min(MAX_PAYLOAD_BYTES));
        packets.extend_from_slice(&(part.len() as u32).to_le_bytes()[..3]);
        packets.push(7);
        packets.extend_from_slice(part);
        rest = next;
        if part.len() < MAX_PAYLOAD_BYTES {
            return packets;
        }
    }
}

const END: [u8; 5] = [0xfe, 0, 0, 0x22, 0];

/// Feeds a stream in pieces of `step` bytes; the lines and the tally.
fn walk(stream: &[u8], plain: &[bool], step: usize) -> Result<(Vec<u8>, Tally)> {
    let mut walk = Walk {
        plain: plain.to_vec(),
        provable: None,
        long: None,
        sequence: 0,
    };
    let (mut buf, mut out, mut tally) = (BytesMut::new(), Vec::new(), Tally::default());
    let mut lines = Vec::new();
    let mut ended = false;
    for piece in stream.chunks(step) {
        buf.extend_from_slice(piece);
        loop {
            ended |= walk.take(&mut buf, &mut out, &mut tally)?;
            if out.is_empty() {
                break;
            }
            lines.append(&mut out);
        }
    }
    assert!(ended && buf.is_empty());
    Ok((lines, tally))
}

#[test]
fn rows_become_lines_alike_however_the_socket_cuts_them() {
    let long = [&b"\\"[..], &vec![b'x'; 3 * READ_AHEAD + 17], b"\n"].concat();
    let rows: [[Option<&[u8]>; 3]; 4] = [
        [Some(b"1"), Some(b"a\tb\nc\\d\0e\r"), None],
        [Some(b""), None, Some(b"")],
        [Some(b"-2"), Some(&long), Some(b"\xff\xfe")],
        [None, Some(&long[..300]), Some(&long[..70_000])],
    ];
    let mut stream = Vec::new();
    for row in rows {
        let values = row.map(|it| it.map_or(vec![NULL], value));
        stream.extend_from_slice(&packets(&values.concat()));
    }
    stream.extend_from_slice(&packets(&END));
    let escaped_long = [&b"\\\\"[..], &long[1..long.len() - 1], b"\\n"].concat();
    let lines: [Vec<u8>; 4] = [
        b"1\ta\\tb\\nc\\\\d\\0e\r\t\\N\n".to_vec(),
        b"\t\\N\t\n".to_vec(),
        [b"-2\t", &escaped_long[..], b"\t\xff\xfe\n"].concat(),
        [
            b"\\N\t",
            &escaped_long[..301],
            b"\t",
            &escaped_long[..70_001],
            b"\n",
        ]
        .concat(),
    ];
    let mut expected = Tally::default();
    lines.iter().for_each(|line| expected.add_row(line));
    for step in [1, 7, 8192, 100_000, usize::MAX] {
        let (seen, tally) = walk(&stream, &[true, false, false], step).unwrap();
        assert!(seen == lines.concat(), "step {step}");
        assert_eq!(tally, expected, "step {step}");
    }
}

#[test]
fn a_row_longer_than_a_packet_is_one_row() {
    for n_bytes in [
        MAX_PAYLOAD_BYTES - 4,
        MAX_PAYLOAD_BYTES,
        MAX_PAYLOAD_BYTES + 1,
        2 * MAX_PAYLOAD_BYTES + 5,
    ] {
        let huge = vec![b'z'; n_bytes];
        let mut stream = packets(&[value(&huge), value(b"9")].concat());
        stream.extend_from_slice(&packets(&[value(b"a"), value(b"1")].concat()));
        stream.extend_from_slice(&packets(&END));
        let (lines, tally) = walk(&stream, &[false, true], 1 << 20).unwrap();
        let whole = [&huge[..], b"\t9\n"].concat();
        let mut expected = Tally::default();
        expected.add_row(&whole);
        expected.add_row(b"a\t1\n");
        assert_eq!(lines.len(), whole.len() + 4);
        assert_eq!(tally, expected);
    }
}

#[test]
fn an_error_amid_rows_is_an_error() {
    let mut stream = packets(&value(b"1"));
    stream.extend_from_slice(&packets(
        b"\xff\x25\x05#70100Query execution was interrupted",
    ));
    let error = walk(&stream, &[true], 5).unwrap_err();
    assert!(error.to_string().contains("error 1317"), "{error}");
}

#[test]
fn a_row_with_too_many_or_too_few_values_is_noticed() {
    let row = packets(&[value(b"1"), value(b"2")].concat());
    assert!(walk(&row, &[true], usize::MAX).is_err());
    assert!(walk(&row, &[true; 3], usize::MAX).is_err());
}
