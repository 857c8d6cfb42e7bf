//! `[vision]`: what of a LLaVA is trained beside its decoder.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Kind, Recipe, refuse};
use crate::config::ModelConfig;
use crate::config::vision::VisionConfig;
use crate::error::Result;

/// `[vision]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VisionSection {
    /// What of the projector is trained.
    pub projector: ProjectorTraining,
    /// The projector's peak learning rate.
    pub projector_learning_rate: f64,
    /// What of the tower is trained.
    pub tower: TowerTraining,
    /// A folder in which what the tower sees of the pictures is kept for other runs; where none is said, it is kept in the
    /// run's folder until the run is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
}

/// What of the projector is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectorTraining {
    /// Every weight.
    Full,
    /// Nothing.
    Frozen,
}

/// What of the tower is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TowerTraining {
    /// Nothing: every picture is looked at once.
    Frozen,
}

impl Default for VisionSection {
    /// LLaVA-1.5's published settings for finetuning with LoRA.
    fn default() -> Self {
        let (projector, tower) = (ProjectorTraining::Full, TowerTraining::Frozen);
        Self { projector, projector_learning_rate: 2e-5, tower, features: None }
    }
}

impl Recipe {
    /// The recipe with what a model's way of seeing leaves to defaults said, and refused where the two do not fit.
    pub fn for_model(mut self, config: &ModelConfig) -> Result<Self> {
        let family = config.family.name();
        match (config.vision.as_deref(), &self.vision) {
            (None, None) => {}
            (None, Some(_)) => {
                let found = format!("there, and the base model is a {family} that reads text only");
                return Err(refuse("[vision]", found, "a LLaVA as model.base"));
            }
            (Some(_), _) if self.method.kind == Kind::Expand => {
                let expected = "\"lora\" or \"full\" for a model that sees pictures";
                return Err(refuse("method.kind", json!(self.method.kind), expected));
            }
            (Some(VisionConfig { experts: Some(_), .. }), _) => {
                let found = format!("a {family} with experts, which is run and not trained");
                return Err(refuse("model.base", found, "a LLaVA without experts"));
            }
            // What makes tokens is a part of the tower.
            (Some(seeing), None) if seeing.any_size.is_some() => {
                let projector = ProjectorTraining::Frozen;
                self.vision = Some(VisionSection { projector, ..VisionSection::default() });
            }
            (Some(seeing), Some(VisionSection { projector: ProjectorTraining::Full, .. }))
                if seeing.any_size.is_some() =>
            {
                let expected = "\"frozen\": this model has no projector apart from its tower";
                return Err(refuse("vision.projector", json!(ProjectorTraining::Full), expected));
            }
            (Some(_), _) => drop(self.vision.get_or_insert_default()),
        }
        Ok(self)
    }

    /// How much longer the projector's steps are than others; `None` where it is not trained.
    pub fn projector_rate(&self) -> Option<f64> {
        let vision = self.vision.as_ref().filter(|vision| vision.projector == ProjectorTraining::Full)?;
        Some(vision.projector_learning_rate / self.optim.learning_rate)
    }
}
