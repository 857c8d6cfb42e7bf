//! `/plane`: what `analyze clusters` found, to show where a gene lies and what is near it.
//!
//! Near is by the vectors that were clustered, where they lie in the folder: UMAP's plane keeps neighbours together, but what
//! is together there need not be near. Without them it is by the plane.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use geneverse_eval::embedding::{self, Embedding};
use geneverse_eval::index::Resolved;
use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::http::Response;
use super::App;

/// So many neighbours are told.
const NEAR: usize = 12;

/// The plane of a clustering.
pub(crate) struct Plane {
    name: String,
    ids: Vec<String>,
    places: Vec<[f32; 2]>,
    clusters: Vec<u32>,
    of_id: HashMap<String, usize>,
    /// In the order of `ids`, each of length 1.
    vectors: Option<(Vec<f32>, usize)>,
}

impl Plane {
    /// Reads the folder that `analyze clusters` has written.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let table = folder.join("umap.csv");
        let text = std::fs::read_to_string(&table).with_context(|| {
            format!("--clusters: cannot read {}, as `analyze clusters` writes it", table.display())
        })?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut plane = Self {
            name,
            ids: vec![],
            places: vec![],
            clusters: vec![],
            of_id: HashMap::new(),
            vectors: None,
        };
        for (number, line) in text.lines().enumerate() {
            if number == 0 && line.starts_with("id,x,y,cluster") {
                continue;
            }
            let Some((id, [x, y], cluster)) = row(line) else {
                bail!(
                    "{}:{}: expected id,x,y,cluster as `analyze clusters` writes them",
                    table.display(),
                    number + 1
                );
            };
            plane.of_id.insert(id.clone(), plane.ids.len());
            plane.ids.push(id);
            plane.places.push([x, y]);
            plane.clusters.push(cluster);
        }
        let vectors = folder.join("embedding.npy");
        if vectors.is_file() {
            plane.take(embedding::read(&vectors, None)?);
        }
        Ok(plane)
    }

    /// Takes the vectors of all items, if they are there.
    fn take(&mut self, embedding: Embedding) {
        let Embedding { ids, vectors, dimensions } = embedding;
        if ids != self.ids || dimensions == 0 {
            return;
        }
        let mut vectors = vectors;
        for vector in vectors.chunks_mut(dimensions) {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            if length > 0.0 {
                vector.iter_mut().for_each(|x| *x /= length);
            }
        }
        self.vectors = Some((vectors, dimensions));
    }

    pub(super) fn about(&self) -> Value {
        json!({"name": self.name, "items": self.ids.len()})
    }

    /// The nearest of an item, and how near: the cosine, or the distance in the plane.
    fn near(&self, item: usize) -> Vec<(usize, f32)> {
        let mut all: Vec<(usize, f32)> = match &self.vectors {
            Some((vectors, width)) => {
                let own = &vectors[item * width..(item + 1) * width];
                let cosine = |other: &[f32]| other.iter().zip(own).map(|(a, b)| a * b).sum();
                vectors.chunks(*width).map(cosine).enumerate().collect()
            }
            None => {
                let [x, y] = self.places[item];
                let distance = |place: &[f32; 2]| (place[0] - x).hypot(place[1] - y);
                self.places.iter().map(distance).enumerate().collect()
            }
        };
        all.retain(|(other, _)| *other != item);
        let sign = if self.vectors.is_some() { -1.0 } else { 1.0 };
        all.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)).then(a.0.cmp(&b.0)));
        all.truncate(NEAR);
        all
    }
}

/// A line of `umap.csv`.
fn row(line: &str) -> Option<(String, [f32; 2], u32)> {
    let (id, rest) = match line.strip_prefix('"') {
        // A quote in a quoted field is written twice.
        Some(quoted) => {
            let even =
                |at: &usize| quoted[..*at].bytes().rev().take_while(|byte| *byte == b'"').count() % 2 == 0;
            let end = quoted.match_indices("\",").map(|(at, _)| at).find(even)?;
            (quoted[..end].replace("\"\"", "\""), &quoted[end + 2..])
        }
        None => line.split_once(',').map(|(id, rest)| (id.to_owned(), rest))?,
    };
    let mut fields = rest.split(',');
    let mut number = || fields.next()?.parse::<f32>().ok().filter(|x| x.is_finite());
    let place = [number()?, number()?];
    Some((id, place, fields.next()?.parse().ok()?))
}

fn plane(app: &App) -> Result<&Plane, ApiError> {
    let none = || ApiError::new(404, "this server was told of no clustering; start it with --clusters");
    app.shown.plane.as_ref().ok_or_else(none)
}

/// `/plane`: every item.
pub(super) fn whole(app: &App) -> Result<Response, ApiError> {
    let Plane { name, ids, places, clusters, .. } = plane(app)?;
    let axis = |axis: usize| -> Vec<f32> { places.iter().map(|place| place[axis]).collect() };
    Ok(Response::json(
        200,
        &json!({"name": name, "ids": ids, "x": axis(0), "y": axis(1), "clusters": clusters}),
    ))
}

/// `/plane/{symbol}`: what is near a gene.
pub(super) fn near(app: &App, name: &str) -> Result<Response, ApiError> {
    let plane = plane(app)?;
    let index = app.known.as_ref().map(|known| known.grader.index());
    let approved = || match index?.resolve(name) {
        Resolved::Gene(gene) => plane.of_id.get(gene.symbol.as_str()),
        _ => None,
    };
    let Some(&item) = plane.of_id.get(name).or_else(approved) else {
        return Err(ApiError::new(404, format!("{name:?} is not in the clustering")).coded("not_clustered"));
    };
    let told = |(other, near): (usize, f32)| {
        let gene = index.and_then(|index| index.approved(&plane.ids[other]));
        json!({
            "id": plane.ids[other], "name": gene.map(|gene| gene.name.as_str()), "near": near,
            "cluster": plane.clusters[other],
        })
    };
    let near: Vec<Value> = plane.near(item).into_iter().map(told).collect();
    let by = if plane.vectors.is_some() { "cosine" } else { "distance" };
    Ok(Response::json(
        200,
        &json!({"id": plane.ids[item], "cluster": plane.clusters[item], "by": by, "near": near}),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_plane_are_read() {
        assert_eq!(row("GLI1,-1.5,2,3,kind"), Some(("GLI1".into(), [-1.5, 2.0], 3)));
        assert_eq!(row("\"a,\"\"b\"\"\",1,2,0"), Some(("a,\"b\"".into(), [1.0, 2.0], 0)));
        assert_eq!(row("\"α, β\",1,2,0"), Some(("α, β".into(), [1.0, 2.0], 0)));
        for wrong in
            ["", "\"α", "\"α\"\",1,2,0", "GLI1", "GLI1,1,2", "GLI1,NaN,2,0", "\"GLI1,1,2,0", "GLI1,1,2,x"]
        {
            assert_eq!(row(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn near_is_by_vectors_where_there_are_any() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("umap.csv"), "id,x,y,cluster\na,0,0,0\nb,0.1,0,0\nc,5,0,1\n")
            .unwrap();
        let plane = Plane::read(folder.path()).unwrap();
        assert_eq!(plane.near(0), [(1, 0.1), (2, 5.0)]);
        let embedding =
            Embedding { ids: plane.ids.clone(), vectors: vec![2.0, 0.0, 0.0, 3.0, 1.0, 0.0], dimensions: 2 };
        embedding::write_npy(&folder.path().join("embedding.npy"), &embedding).unwrap();
        assert_eq!(Plane::read(folder.path()).unwrap().near(0), [(2, 1.0), (1, 0.0)]);
        std::fs::write(folder.path().join("umap.csv"), "id,x,y,cluster\na,0,zero,0\n").unwrap();
        let error = Plane::read(folder.path()).err().unwrap().to_string();
        assert!(
            error.ends_with("umap.csv:2: expected id,x,y,cluster as `analyze clusters` writes them"),
            "{error}"
        );
    }
}
