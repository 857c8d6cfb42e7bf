//! `[vision]`: what of a LLaVA is trained beside its decoder.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Kind, Recipe, refuse};
use crate::config::ModelConfig;
use crate::config::vision::{Layout, VisionConfig};
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
    /// The peak learning rate of what is trained of the tower; where it is not said, 2e-6 for a whole tower (published for
    /// LLaVA-NeXT), and `optim.learning_rate` for low-rank matrices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tower_learning_rate: Option<f64>,
    /// A folder in which what the tower sees of the pictures is kept for other runs, or the pictures as they are made ready for
    /// a tower that is trained; where none is said, it is kept in the run's folder until the run is finished.
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
    /// Low-rank matrices beside its linear maps, of the rank and kind that `[method]` says.
    Adapted,
    /// Every weight of the layers that are looked through.
    Trained,
}

/// The learning rate of a whole tower (LLaVA-NeXT's `mm_vision_tower_lr`).
const WHOLE_TOWER: f64 = 2e-6;

impl Default for VisionSection {
    /// LLaVA-1.5's published settings for finetuning with LoRA.
    fn default() -> Self {
        let (projector, tower) = (ProjectorTraining::Full, TowerTraining::Frozen);
        Self { projector, projector_learning_rate: 2e-5, tower, tower_learning_rate: None, features: None }
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
            (Some(seeing), Some(VisionSection { tower, .. }))
                if seeing.any_size.is_some() && *tower != TowerTraining::Frozen =>
            {
                let expected = "\"frozen\": of this engine's models only LLaVA's tower is trained";
                return Err(refuse("vision.tower", json!(tower), expected));
            }
            (Some(seeing), Some(VisionSection { tower: TowerTraining::Trained, .. }))
                if self.method.kind == Kind::Full && matches!(seeing.layout, Layout::Original { .. }) =>
            {
                let expected = "\"frozen\" beside method.kind = \"full\" for a LLaVA in the original layout, whose tower lies in \
                                a folder of its own; one in transformers' layout (llava-hf) can be written with it";
                return Err(refuse("vision.tower", "\"trained\"", expected));
            }
            (Some(_), _) => {
                let (kind, rate) = (self.method.kind, self.optim.learning_rate);
                let vision = self.vision.get_or_insert_default();
                match vision.tower {
                    TowerTraining::Frozen => {}
                    TowerTraining::Adapted if kind != Kind::Lora => {
                        let expected = "\"frozen\" or \"trained\" without method.kind = \"lora\"";
                        return Err(refuse("vision.tower", json!(vision.tower), expected));
                    }
                    TowerTraining::Adapted => drop(vision.tower_learning_rate.get_or_insert(rate)),
                    TowerTraining::Trained => drop(vision.tower_learning_rate.get_or_insert(WHOLE_TOWER)),
                }
            }
        }
        Ok(self)
    }

    /// How much longer the projector's steps are than others; `None` where it is not trained.
    pub fn projector_rate(&self) -> Option<f64> {
        let vision = self.vision.as_ref().filter(|vision| vision.projector == ProjectorTraining::Full)?;
        Some(vision.projector_learning_rate / self.optim.learning_rate)
    }

    /// How much longer the steps of what is trained of the tower are than others; `None` where it is frozen.
    pub fn tower_rate(&self) -> Option<f64> {
        let vision = self.vision.as_ref().filter(|vision| vision.tower != TowerTraining::Frozen)?;
        Some(vision.tower_learning_rate? / self.optim.learning_rate)
    }
}

impl VisionSection {
    /// Refuses values that make no sense.
    pub(super) fn check(&self) -> Result<()> {
        for (key, rate) in [
            ("vision.projector_learning_rate", Some(self.projector_learning_rate)),
            ("vision.tower_learning_rate", self.tower_learning_rate),
        ] {
            match rate {
                Some(rate) if !(rate > 0.0 && rate.is_finite()) => {
                    return Err(refuse(key, rate, "a number above 0"));
                }
                _ => {}
            }
        }
        match self.tower_learning_rate {
            Some(rate) if self.tower == TowerTraining::Frozen => {
                let expected =
                    "no such key while vision.tower is \"frozen\"; \"adapted\" and \"trained\" train it";
                Err(refuse("vision.tower_learning_rate", rate, expected))
            }
            _ => Ok(()),
        }
    }
}
