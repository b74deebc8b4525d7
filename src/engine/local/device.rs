//! The device that a model is to run on: the one asked for, or a message that says why it is not there.

use mistralrs::core::MemoryUsage;
use mistralrs::{Device, ModelDType};

use crate::engine::error::EngineError;
use crate::engine::model::DeviceChoice;
use crate::engine::room;

/// A device and how numbers are computed on it.
#[derive(Clone)]
pub(super) struct Place {
    pub device: Device,
    /// As the header shows it: "cpu", "cuda:1".
    pub name: String,
    pub dtype: ModelDType,
    /// As the header shows it: "f32".
    pub number: &'static str,
    /// Bytes of a number.
    pub width: u64,
}

impl Place {
    /// Opens the device of that choice. May panic where a driver is missing, so it is for a thread of its own.
    pub(super) fn open(choice: DeviceChoice) -> Result<Self, EngineError> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Cuda(number) => Self::cuda(number),
            DeviceChoice::Metal => Self::metal(),
            DeviceChoice::Auto if cfg!(feature = "cuda") => Ok(Self::cuda(0).unwrap_or_else(|error| {
                tracing::warn!(target: "logoscope::engine", "{error}");
                Self::cpu()
            })),
            DeviceChoice::Auto if cfg!(feature = "metal") => Ok(Self::metal().unwrap_or_else(|error| {
                tracing::warn!(target: "logoscope::engine", "{error}");
                Self::cpu()
            })),
            DeviceChoice::Auto => Ok(Self::cpu()),
        }
    }

    /// The processor, in 32-bit floats: the library's own choice there is 16-bit, slow and coarse.
    pub(super) fn cpu() -> Self {
        Self { device: Device::Cpu, name: "cpu".into(), dtype: ModelDType::F32, number: "f32", width: 4 }
    }

    fn cuda(number: usize) -> Result<Self, EngineError> {
        let choice = DeviceChoice::Cuda(number);
        if !cfg!(feature = "cuda") {
            return Err(absent(
                choice,
                "this build computes on the processor alone",
                "build with the feature 'cuda' (docs/gpu.md)",
            ));
        }
        let device = Device::new_cuda(number).map_err(|error| {
            absent(choice, &super::first_line(&error.to_string()), "look at nvidia-smi, or pass --device cpu")
        })?;
        Ok(Self { device, name: choice.to_string(), dtype: ModelDType::BF16, number: "bf16", width: 2 })
    }

    fn metal() -> Result<Self, EngineError> {
        let choice = DeviceChoice::Metal;
        if !cfg!(feature = "metal") {
            return Err(absent(
                choice,
                "this build computes on the processor alone",
                "build with the feature 'metal' on an Apple computer",
            ));
        }
        let device = Device::new_metal(0)
            .map_err(|error| absent(choice, &super::first_line(&error.to_string()), "pass --device cpu"))?;
        Ok(Self { device, name: choice.to_string(), dtype: ModelDType::BF16, number: "bf16", width: 2 })
    }

    /// Bytes that a model can still take there; `None` where that is not known.
    pub(super) fn available(&self) -> Option<u64> {
        match self.device {
            // The library would look at every process of the machine for this.
            Device::Cpu => room::available(),
            _ => MemoryUsage.get_memory_available(&self.device).ok().map(|bytes| bytes as u64),
        }
    }
}

fn absent(choice: DeviceChoice, reason: &str, remedy: &str) -> EngineError {
    EngineError::Device { device: choice.to_string(), reason: reason.to_owned(), remedy: remedy.to_owned() }
}
