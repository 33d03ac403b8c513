//! Columns padded with blanks, two blanks between them.

/// Lines of `rows`, the first of which is the header. The last column is not padded.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..).map_while(width).collect();
    let lines = rows.iter().map(|row| {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if i > 0 {
                line.push_str("  ");
            }
            line.push_str(cell);
            if i + 1 < row.len() {
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A row of cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|c| (*c).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_all_but_the_last_and_keeps_empty_cells() {
        let rows = [row(["Node", "ID", "DC"]), row(["n", "", "dc1"]), row(["longer", "x", "y"])];
        assert_eq!(columns(&rows), "Node    ID  DC\nn           dc1\nlonger  x   y");
    }
}
