//! How sure a figure is, from several runs.

/// A mean over runs with other dice, and how far from it the true one may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean of the runs.
    pub mean: f64,
    /// Half the width of the 95 % confidence interval; `None` for a single run.
    pub margin: Option<f64>,
}

/// The 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom; beyond, the normal distribution's is within
/// 4 % of them. From the tables in every textbook.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const NORMAL: f64 = 1.960;

impl Estimate {
    /// The estimate from one figure of each run; 0 from none.
    #[must_use]
    pub fn of(figures: &[f64]) -> Self {
        let runs = figures.len();
        let mean = figures.iter().sum::<f64>() / runs.max(1) as f64;
        if runs < 2 {
            return Self { mean, margin: None };
        }
        let freedom = runs - 1;
        let variance = figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / freedom as f64;
        let student = STUDENT.get(freedom - 1).copied().unwrap_or(NORMAL);
        Self { mean, margin: Some(student * (variance / runs as f64).sqrt()) }
    }

    /// The upper end of the interval; the mean itself where there is none.
    #[must_use]
    pub fn at_most(&self) -> f64 {
        self.mean + self.margin.unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests;
